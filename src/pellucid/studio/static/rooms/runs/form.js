// The form that starts a run.
import { isAbort, post } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { icon } from "../../lib/icons.js";
import { t } from "../../lib/text.js";

const PATH = "\u0000path"; // no data set is called so

/** Opens the form over the page; `started(id)` is told of the run. */
export function openForm(app, started) {
  const state = app.state();
  const problem = h("p", { class: "error", role: "alert", dataset: { test: "form-error" } });
  const data = dataField(state.datasets);
  const recipe = recipeField(state.recipes);
  const hint = t("runs.form_as_recipe");
  const whole = (name, key, least) =>
    field(key, h("input", { id: `run-${name}`, name, type: "number", min: least, step: 1, inputmode: "numeric", placeholder: hint }));
  const name = h("input", { id: "run-name", name: "name", autocomplete: "off", spellcheck: "false", placeholder: t("runs.form_name_hint") });
  const more = h("textarea", { id: "run-set", name: "set", rows: 2, spellcheck: "false", placeholder: "optimizer.learning_rate=0.01" });
  const go = h("button", { type: "submit", class: "main", dataset: { test: "form-go" } }, t("runs.form_go"));
  const form = h(
    "form",
    { onsubmit: submit },
    h("div", { class: "bar" }, h("h2", { id: "run-form" }, t("runs.form_title")), closer()),
    data.nodes,
    recipe.nodes,
    h("div", { class: "row" }, whole("epochs", "runs.form_epochs", 1), whole("batch_size", "runs.form_batch", 1), whole("seed", "runs.form_seed", 0)),
    field("runs.form_name", name),
    field("runs.form_set", more, t("runs.form_set_hint")),
    problem,
    h("div", { class: "ends" }, h("button", { type: "button", onclick: () => dialog.close() }, t("runs.form_cancel")), go),
  );
  const dialog = h("dialog", { class: "start", "aria-labelledby": "run-form", dataset: { test: "form" }, onclose: () => dialog.remove() }, form);

  function closer() {
    return h("button", { type: "button", class: "bare", "aria-label": t("runs.form_cancel"), onclick: () => dialog.close() }, icon("close"));
  }

  async function submit(event) {
    event.preventDefault();
    fill(problem);
    go.disabled = true;
    fill(go, t("runs.form_starting"));
    try {
      const { id } = await post("/api/runs", asked(new FormData(form), data.value()), { signal: app.signal });
      dialog.close();
      started(id);
    } catch (error) {
      if (!isAbort(error)) fill(problem, error.message);
    } finally {
      go.disabled = false;
      fill(go, t("runs.form_go"));
    }
  }

  document.body.append(dialog);
  app.signal.addEventListener("abort", () => dialog.close());
  dialog.showModal();
}

/** What is sent: only what was filled in. */
function asked(form, data) {
  const body = { data, recipe: form.get("recipe") };
  for (const key of ["epochs", "batch_size", "seed"]) if (form.get(key) !== "") body[key] = Number(form.get(key));
  if (form.get("name").trim()) body.name = form.get("name").trim();
  const lines = form.get("set").split("\n").map((line) => line.trim()).filter(Boolean);
  if (lines.length) body.set = lines;
  return body;
}

function field(key, input, hint = null) {
  const id = `${input.id}-hint`;
  if (hint) input.setAttribute("aria-describedby", id);
  return h("div", { class: "field" }, h("label", { for: input.id }, t(key)), input, hint && h("p", { class: "hint", id }, hint));
}

/** The sets that have a name, those that are here first, and a path of one's own. */
function dataField(datasets) {
  const sorted = [...datasets].sort((a, b) => b.here - a.here);
  const options = sorted.map(({ name, title, here }) =>
    h("option", { value: name, disabled: !here }, here ? title : `${title} (${t("runs.form_not_here")})`),
  );
  const none = !sorted.some(({ here }) => here);
  const select = h("select", { id: "run-data", dataset: { test: "form-data" } }, options, h("option", { value: PATH, selected: none }, t("runs.form_path")));
  const path = h("input", { id: "run-path", autocomplete: "off", spellcheck: "false", dataset: { test: "form-path" } });
  const own = field("runs.form_path_label", path, t("runs.form_path_hint"));
  const show = () => {
    own.hidden = select.value !== PATH;
    path.required = !own.hidden;
  };
  select.addEventListener("change", () => {
    show();
    if (!own.hidden) path.focus();
  });
  show();
  return { nodes: [field("runs.form_data", select), own], value: () => (select.value === PATH ? path.value.trim() : select.value) };
}

function recipeField(recipes) {
  const about = h("p", { class: "hint", id: "run-recipe-hint" });
  const select = h(
    "select",
    { id: "run-recipe", name: "recipe", "aria-describedby": "run-recipe-hint", dataset: { test: "form-recipe" } },
    recipes.map(({ name }) => h("option", { value: name }, name)),
  );
  const show = () => {
    const chosen = recipes.find(({ name }) => name === select.value);
    fill(about, chosen && [chosen.about, h("br"), t("runs.form_cost", { cost: chosen.cost })]);
  };
  select.addEventListener("change", show);
  show();
  const node = field("runs.form_recipe", select);
  node.append(about);
  return { nodes: [node] };
}

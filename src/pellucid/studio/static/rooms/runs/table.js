// The list of runs. A row is changed where it stands, so that neither focus nor scrolling is lost.
import { fill, h } from "../../lib/dom.js";
import { duration, number, NOTHING, percent, t } from "../../lib/text.js";
import { swatch } from "./curves.js";
import { placeOf } from "./store.js";

const MARKS = { running: "good", stopping: "warn", stopped: "warn", damaged: "bad", gone: "bad" };

export function badge(state) {
  return h("span", { class: ["badge", MARKS[state]], dataset: { state } }, t(`runs.state_${state}`));
}

/** The table; `on.draw(ids, yes)` and `on.select(id)` are told what is clicked. */
export function table(on) {
  const all = h("input", { type: "checkbox", "aria-label": t("runs.draw_all"), dataset: { test: "draw-all" } });
  const columns = ["name", "state", "recipe", "data", "epochs", "validation", "test", "time"];
  const head = h(
    "tr",
    {},
    h("th", { scope: "col", class: "draw" }, all),
    columns.map((name) => h("th", { scope: "col", class: name }, t(`runs.column_${name}`))),
  );
  const body = h("tbody", {});
  const none = h("p", { class: "empty" }, t("runs.none"));
  const whole = h("table", {}, h("thead", {}, head), body);
  const node = h("div", { class: "list card", tabindex: "0", role: "region", "aria-label": t("runs.list"), dataset: { test: "runs" } }, whole, none);
  const rows = new Map();
  all.addEventListener("change", () => on.draw([...rows.keys()], all.checked));

  function show(runs, selected) {
    none.hidden = runs.length > 0;
    whole.hidden = !runs.length;
    for (const id of [...rows.keys()]) {
      if (runs.some((run) => run.id === id)) continue;
      rows.get(id).node.remove();
      rows.delete(id);
    }
    for (const run of runs) {
      if (!rows.has(run.id)) rows.set(run.id, row(run.id, on));
      rows.get(run.id).show(run, run.id === selected);
    }
    arrange(body, runs.map((run) => rows.get(run.id).node));
    const count = runs.filter((run) => placeOf(run.id) !== undefined).length;
    all.checked = count > 0 && count === runs.length;
    all.indeterminate = count > 0 && count < runs.length;
  }

  return { node, show };
}

function row(id, on) {
  const box = h("input", { type: "checkbox", onchange: () => on.draw([id], box.checked) });
  const colour = h("span", { class: "colour" });
  const name = h("button", { type: "button", class: "bare pick", onclick: () => on.select(id), dataset: { test: "pick" } });
  const cell = (key) => h("td", { class: key, dataset: { label: t(`runs.column_${key}`) } });
  const [state, recipe, data, epochs, validation, test, time] = ["state", "recipe", "data", "epochs", "validation", "test", "time"].map(cell);
  const node = h(
    "tr",
    { dataset: { id, test: "run" }, onclick: (event) => !event.target.closest("input, button, label") && on.select(id) },
    h("td", { class: "draw" }, h("label", {}, box, colour)),
    h("th", { scope: "row", class: "name" }, name),
    [state, recipe, data, epochs, validation, test, time],
  );
  let said = "";

  function show(item, selected) {
    const place = placeOf(id);
    const says = JSON.stringify([item, selected, place]);
    if (says === said) return;
    said = says;
    box.checked = place !== undefined;
    box.setAttribute("aria-label", t("runs.draw", { name: item.name }));
    fill(colour, place !== undefined && swatch(place));
    fill(name, item.name);
    node.classList.toggle("selected", selected);
    if (selected) name.setAttribute("aria-current", "true");
    else name.removeAttribute("aria-current");
    fill(state, badge(item.state));
    fill(recipe, item.recipe ?? NOTHING);
    fill(data, h("span", { title: item.data }, lastPart(item.data)));
    fill(epochs, item.epochs === null ? number(item.epochs_done) : `${number(item.epochs_done ?? 0)} / ${number(item.epochs)}`);
    fill(validation, percent(item.val_accuracy));
    fill(test, percent(item.test_accuracy));
    fill(time, duration(item.seconds));
    for (const each of [recipe, epochs, validation, test, time]) each.classList.toggle("nothing", each.textContent === NOTHING);
  }

  return { node, show };
}

/** "…/folder/name" is long in a table: its end tells it. */
function lastPart(path) {
  if (!path) return NOTHING;
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}

/** Puts the rows in this order and moves only those that are out of place. */
function arrange(body, wanted) {
  wanted.forEach((node, place) => {
    if (body.children[place] !== node) body.insertBefore(node, body.children[place] ?? null);
  });
}

// One run: where it is, what can be done with it, the recipe, what it printed, on which machine.
import { get, post } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { icon } from "../../lib/icons.js";
import { duration, number, percent, t } from "../../lib/text.js";
import { metricsOf } from "./store.js";
import { badge } from "./table.js";
import { toml } from "./toml.js";

const BETWEEN = 5000; // ms: how often a running run's log is asked for
const INSIDE = ["filters", "image", "mistakes"];

/** The card; `show(id)` turns to a run, `items()` takes news of it, `rows(rows)` what the stream brings. */
export function details(app) {
  const node = h("section", { class: "card details", dataset: { test: "details" } });
  let shown = null; // {id, parts, live, news}
  let wanted = null; // an id: a run that was just started is not among the items yet
  let timer = null;

  function show(id) {
    clearTimeout(timer);
    wanted = id;
    const item = id && app.items().find((each) => each.id === id);
    if (!item) {
      shown = null;
      node.style.minHeight = "";
      fill(node, h("p", { class: "empty" }, t("runs.select")));
      return;
    }
    if (shown?.id !== id) {
      node.style.minHeight = `${node.offsetHeight}px`; // until the recipe is there, so that nothing jumps
      shown = { id, parts: parts(app), live: {} };
      fill(node, shown.parts.nodes);
    }
    refresh(shown);
  }

  async function refresh(mine) {
    clearTimeout(timer);
    update(mine);
    try {
      const told = await get(`/api/runs/${encodeURIComponent(mine.id)}`, { signal: app.signal });
      if (mine !== shown) return;
      mine.live = { speed: told.images_per_s, left: told.seconds_left };
      mine.parts.showRecord(told);
      node.style.minHeight = "";
    } catch (error) {
      if (mine === shown) app.fail(error, { again: () => refresh(mine) });
      return;
    }
    update(mine);
    if (isGoing(itemOf(mine.id))) timer = setTimeout(() => refresh(mine), BETWEEN);
  }

  function itemOf(id) {
    return app.items().find((item) => item.id === id) ?? null;
  }

  function update(mine) {
    const item = itemOf(mine.id);
    if (item) mine.parts.showItem(item, mine.live, app.state().may_train);
  }

  return {
    node,
    show,
    items() {
      const item = itemOf(wanted);
      if (Boolean(item) !== Boolean(shown)) return show(wanted);
      if (!shown) return;
      const news = `${item.state} ${item.epochs_done}`;
      if (news === shown.news) return update(shown);
      shown.news = news;
      refresh(shown);
    },
    rows(rows) {
      if (rows.id !== shown?.id) return;
      const speed = rows.steps.at(-1)?.[4] ?? shown.live.speed;
      shown.live = { speed, left: rows.seconds_left };
      update(shown);
    },
    end: () => clearTimeout(timer),
  };
}

function isGoing(item) {
  return item?.state === "running" || item?.state === "stopping";
}

function parts(app) {
  const title = h("div", { class: "bar" });
  const error = h("p", { class: "error" });
  const bar = h("progress", { max: 1, value: 0 });
  const epoch = h("p", { class: "soft" });
  const speed = figure("runs.speed", "speed");
  const left = figure("runs.left", "left");
  const val = figure("runs.column_validation", "val");
  const test = figure("runs.column_test", "test");
  const actions = h("div", { class: "actions" });
  const inside = h("p", { class: "inside" });
  const recipe = h("div", {});
  const log = h("pre", { class: "log", tabindex: "0", dataset: { test: "log" } });
  const printed = section("runs.log", log, false);
  const machine = h("dl", { class: "machine" });
  const record = h("div", {}, section("runs.recipe_text", recipe, true), printed, section("runs.machine", machine, false));
  printed.hidden = true;

  return {
    nodes: [title, error, h("div", { class: "progress" }, bar, epoch), h("dl", { class: "figures" }, speed.node, left.node, val.node, test.node), actions, inside, record],
    showItem(item, live, mayTrain) {
      fill(title, h("h2", {}, item.name), badge(item.state));
      fill(error, item.error ?? "");
      error.hidden = !item.error;
      bar.value = share(item);
      bar.setAttribute("aria-label", t("runs.progress", { name: item.name }));
      fill(epoch, item.epochs ? t("runs.epoch_of", { done: number(item.epochs_done ?? 0), all: number(item.epochs) }) : "\u00a0");
      speed.show(number(live.speed, 0));
      left.show(isGoing(item) ? duration(live.left) : "–");
      val.show(percent(item.val_accuracy));
      test.show(percent(item.test_accuracy));
      showActions(actions, app, item, mayTrain);
      fill(inside, item.has_model && [t("runs.look_into"), INSIDE.map((room) => h("a", { href: `#/${room}/${encodeURIComponent(item.id)}` }, t(`shell.room_${room}`)))]);
    },
    showRecord(told) {
      if (recipe.dataset.text !== told.recipe_toml) {
        recipe.dataset.text = told.recipe_toml;
        fill(recipe, told.recipe_toml ? toml(told.recipe_toml) : t("runs.unknown"));
      }
      printed.hidden = !told.log;
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
      if (told.log && log.textContent !== told.log) {
        fill(log, told.log);
        if (atEnd) log.scrollTop = log.scrollHeight;
      }
      fill(machine, Object.entries({ ...told.machine, ...told.versions }).map(([name, value]) => [h("dt", {}, name), h("dd", {}, said(value))]));
    },
  };
}

function said(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** How much of a run is done, 0 to 1: by its last step where that is known, which says more than whole epochs. */
function share(item) {
  if (!item.epochs) return 0;
  const last = metricsOf(item.id)?.steps.epoch.at(-1);
  const done = item.state === "finished" ? item.epochs : Math.max(last ?? 0, item.epochs_done ?? 0);
  return Math.min(1, done / item.epochs);
}

function figure(key, name) {
  const value = h("dd", { dataset: { test: name } });
  return { node: h("div", {}, h("dt", {}, t(key)), value), show: (text) => fill(value, text) };
}

function section(key, content, open) {
  return h("details", { open }, h("summary", {}, t(key)), content);
}

/** The buttons that this state allows; built anew only when another set is due, so that a number typed in stays. */
function showActions(node, app, item, mayTrain) {
  const due = `${item.id} ${item.state} ${item.mine} ${mayTrain}`;
  if (node.dataset.due === due) return;
  node.dataset.due = due;
  const hadFocus = node.contains(document.activeElement);
  fill(node, actionsFor(app, item, mayTrain));
  if (hadFocus) node.querySelector("button, input")?.focus();
}

function actionsFor(app, item, mayTrain) {
  const hint = (key) => h("p", { class: "soft" }, t(key));
  if (isGoing(item)) {
    if (!item.mine) return hint("runs.not_mine");
    const stop = () => act(app, `/api/runs/${encodeURIComponent(item.id)}/stop`, {}, button);
    const button = h("button", { type: "button", class: "danger", disabled: item.state === "stopping", onclick: stop, dataset: { test: "stop" } }, icon("stop"), t("runs.stop"));
    return [button, hint("runs.stop_hint")];
  }
  if (item.state !== "stopped" && item.state !== "finished") return null;
  return mayTrain ? resume(app, item) : hint("runs.may_not_train");
}

/** A finished run goes on only to more epochs than it had. */
function resume(app, item) {
  const finished = item.state === "finished";
  const least = finished ? (item.epochs ?? 0) + 1 : 1;
  const field = h("input", { type: "number", min: least, step: 1, value: item.epochs ?? "", inputmode: "numeric", required: finished, dataset: { test: "resume-epochs" } });
  if (finished) field.value = "";
  const button = h("button", { type: "submit", dataset: { test: "resume" } }, icon("play"), t("runs.resume"));
  const go = (event) => {
    event.preventDefault();
    const epochs = field.valueAsNumber;
    act(app, `/api/runs/${encodeURIComponent(item.id)}/resume`, Number.isFinite(epochs) && epochs !== item.epochs ? { epochs } : {}, button);
  };
  return h("form", { class: "resume", onsubmit: go }, button, h("label", {}, t("runs.resume_to"), field));
}

async function act(app, path, body, button) {
  button.disabled = true;
  try {
    await post(path, body, { signal: app.signal });
  } catch (error) {
    app.fail(error);
    button.disabled = false;
  }
}

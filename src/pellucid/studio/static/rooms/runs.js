// The room of runs: a list, curves of those that are ticked, and one run in detail.
import { fill, h } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { subscribe, tabs } from "../lib/stream.js";
import { t } from "../lib/text.js";
import { curves } from "./runs/curves.js";
import { details } from "./runs/details.js";
import { openForm } from "./runs/form.js";
import { append, chooseFirst, draw, drawn, inOrder, load, metricsOf, undraw } from "./runs/store.js";
import { table } from "./runs/table.js";

export { strings } from "./runs/words.js";
export const needsItem = false;

export async function mount(root, app) {
  const chart = curves(app);
  const detail = details(app);
  const list = table({ draw: drawOrNot, select });
  const states = new Map(); // id → state: a run that begins again has begun to write afresh
  let runs = inOrder(app.items());
  let selected = null;
  let named = ""; // what the curves are called: their numbers come by the stream

  function showList() {
    runs = inOrder(app.items());
    list.show(runs, selected);
  }

  async function fetch(id) {
    try {
      await load(id, app.signal);
    } catch (error) {
      if (error.status === 404) undraw(id); // it is gone; after any other error the next connection asks again
      showList();
      app.fail(error);
    }
    if (!app.signal.aborted) chart.soon();
  }

  function drawOrNot(ids, yes) {
    for (const id of ids) {
      if (yes) draw(id);
      else undraw(id);
    }
    showList();
    chart.draw();
    if (yes) for (const id of ids) if (!metricsOf(id)) fetch(id);
  }

  function select(id) {
    selected = id;
    app.setItem(id, { remount: false });
    showList();
    detail.show(id);
  }

  function changed() {
    showList();
    detail.items();
    for (const { id, state } of runs) {
      const before = states.get(id);
      states.set(id, state);
      if (before && before !== state && drawn().includes(id)) fetch(id);
    }
    const names = JSON.stringify(runs.filter(({ id }) => drawn().includes(id)).map(({ id, name }) => [id, name]));
    if (names !== named) chart.soon();
    named = names;
  }

  function started(id) {
    draw(id);
    select(id);
    drawOrNot([id], true);
  }

  let [told, open] = [0, 1];

  function rows(news) {
    if (append(news)) fetch(news.id);
    if (drawn().includes(news.id)) chart.soon();
    if (performance.now() - told < 1000 * open) return; // many tabs take turns: the processor is training
    told = performance.now();
    detail.rows(news);
    tabs().then((count) => (open = count));
  }

  chooseFirst(runs, app.item?.id);
  selected = (app.item?.kind === "run" ? app.item.id : null) ?? runs.find(({ id }) => drawn().includes(id))?.id ?? runs[0]?.id ?? null;
  for (const { id, state } of runs) states.set(id, state);
  fill(app.actions, startButton(app, started));
  fill(root, list.node, h("div", { class: "pair" }, chart.node, detail.node));
  showList();
  detail.show(selected);
  const ends = [subscribe("rows", rows), subscribe("open", () => drawn().forEach(fetch))];
  app.onItems(changed);
  chart.draw();
  drawn().forEach(fetch);
  return () => {
    for (const end of ends) end();
    chart.end();
    detail.end();
  };
}

function startButton(app, started) {
  const may = app.state().may_train;
  return h(
    "button",
    {
      type: "button",
      class: "main",
      disabled: !may,
      title: may ? null : t("runs.may_not_train"),
      onclick: () => openForm(app, started),
      dataset: { test: "start" },
    },
    icon("plus"),
    t("runs.start"),
  );
}

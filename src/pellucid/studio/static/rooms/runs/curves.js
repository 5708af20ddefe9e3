// Several runs on one axis: the loss above, the accuracies below.
import { chart, purge } from "../../lib/chart.js";
import { fill, h } from "../../lib/dom.js";
import { tabs } from "../../lib/stream.js";
import { t } from "../../lib/text.js";
import { layoutFor, styleOf, tracesOf } from "./series.js";
import { drawn, metricsOf, placeOf, UNITS, view } from "./store.js";

const BETWEEN = 1000; // ms: curves that grow are drawn again no more often,
const SHARE = 1 / 100; // and drawing in all tabs takes no more than so much of the time: the processor is training

/** A sample of a run's line: its colour and dash. */
export function swatch(place) {
  const { color, dash } = styleOf(place);
  const style = { solid: "solid", dash: "dashed", dot: "dotted", dashdot: "dashed" }[dash];
  return h("span", { class: "swatch", "aria-hidden": "true", style: { borderTopColor: color, borderTopStyle: style } });
}

/** The card with the curves. `draw()` draws at once, `soon()` with what else comes within a second. */
export function curves(app) {
  const plot = h("div", { class: "plot", role: "img", dataset: { test: "plot" } });
  const legend = h("ul", { class: "legend", dataset: { test: "legend" } });
  const note = h("p", { class: "note" });
  const node = h(
    "section",
    { class: "card curves", "aria-label": t("runs.curves") },
    h("div", { class: "bar" }, h("h2", {}, t("runs.curves")), units(() => draw())),
    legend,
    h("div", { class: "canvas" }, plot, note),
    h("p", { class: "key soft" }, h("span", { class: "thick" }, t("runs.thick")), h("span", { class: "thin" }, t("runs.thin"))),
  );
  let timer = null;
  let last = 0;
  let cost = 0; // ms that the last drawing took, until it was on the screen

  async function draw() {
    clearTimeout(timer);
    timer = null;
    const began = performance.now();
    last = began;
    const names = new Map(app.items().map((item) => [item.id, item.name]));
    const runs = drawn().filter((id) => names.has(id));
    fill(legend, runs.map((id) => h("li", {}, swatch(placeOf(id)), names.get(id))));
    const ready = runs.filter((id) => metricsOf(id));
    const lines = ready.map((id) =>
      tracesOf({ name: names.get(id), place: placeOf(id), metrics: metricsOf(id), unit: view.unit }),
    );
    const softs = lines.map(({ soft }) => soft);
    const empty = softs.every((soft) => !soft.length);
    fill(note, !runs.length ? t("runs.choose") : empty && ready.length === runs.length ? t("runs.no_points") : "");
    plot.setAttribute("aria-label", t("runs.curves_of", { names: runs.map((id) => names.get(id)).join(", ") }));
    plot.dataset.points = softs.reduce((sum, soft) => sum + soft.length, 0);
    try {
      await chart(plot, lines.flatMap(({ traces }) => traces), layoutFor(softs, view.unit));
      requestAnimationFrame(() => setTimeout(async () => (cost = (performance.now() - began) * (await tabs()))));
    } catch (error) {
      app.fail(error, { again: draw });
    }
  }

  let late = false; // something came while nobody looked

  function soon() {
    timer ??= setTimeout(onTime, Math.max(0, last + Math.max(BETWEEN, cost / SHARE) - performance.now()));
  }

  function onTime() {
    timer = null;
    if (document.hidden) late = true;
    else draw();
  }

  document.addEventListener(
    "visibilitychange",
    () => {
      if (!document.hidden && late) draw();
      late = false;
    },
    { signal: app.signal },
  );

  return {
    node,
    draw,
    soon,
    end() {
      clearTimeout(timer);
      purge(plot);
    },
  };
}

function units(changed) {
  const options = UNITS.map((unit) =>
    h(
      "label",
      { dataset: { test: `by-${unit}` } },
      h("input", {
        type: "radio",
        name: "unit",
        value: unit,
        checked: view.unit === unit,
        onchange: () => {
          view.setUnit(unit);
          changed();
        },
      }),
      t(`runs.by_${unit}`),
    ),
  );
  return h("div", { class: "choice", role: "radiogroup", "aria-label": t("runs.across") }, options);
}

// From metrics to the lines of a chart: pure arithmetic, and what Plotly is told.
import { COLOURS, DASHES, plain } from "../../lib/chart.js";
import { t } from "../../lib/text.js";

const SMOOTHED_TO = 80; // a smoothed curve is the mean over a window of one in so many of its points
const WIDE_RANGE = 8; // a loss that falls to less than one in so many is drawn by its logarithm
const FAR = 4; // a run that diverges leaves the picture at so many times the highest loss that any began with

/** The mean of each value and its neighbours, as many on both sides; near the end only those before. */
export function smoothed(values) {
  const N = values.length;
  const half = Math.floor(N / (2 * SMOOTHED_TO));
  const sums = new Float64Array(N + 1);
  for (let i = 0; i < N; i += 1) sums[i + 1] = sums[i] + values[i];
  return Array.from({ length: N }, (_, i) => {
    const before = Math.min(half, i);
    const after = Math.min(before, N - 1 - i); // at the steep beginning no further than before
    return (sums[i + after + 1] - sums[i - before]) / (after + before + 1);
  });
}

/** x and y where both are known. */
export function known(x, y) {
  const at = [];
  const values = [];
  x.forEach((place, i) => {
    if (Number.isFinite(place) && Number.isFinite(y[i])) {
      at.push(place);
      values.push(y[i]);
    }
  });
  return [at, values];
}

function across(columns, unit) {
  if (unit === "minutes") return columns.time_s.map((seconds) => (seconds === null ? null : seconds / 60));
  return unit === "epochs" ? columns.epoch : columns.step;
}

/** How a run is drawn, by its place among the colours. */
export function styleOf(place) {
  return { color: COLOURS[place % COLOURS.length], dash: DASHES[Math.floor(place / COLOURS.length) % DASHES.length] };
}

/** Traces of one run, and the values of its smoothed loss. */
export function tracesOf({ name, place, metrics, unit }) {
  const { color, dash } = styleOf(place);
  const [at, loss] = known(across(metrics.steps, unit), metrics.steps.loss);
  const soft = smoothed(loss);
  const said = plain(name);
  const line = (x, y, more) => ({ x, y, type: "scatter", name: said, legendgroup: said, ...more });
  const looks = across(metrics.epochs, unit);
  const lower = { yaxis: "y2", xaxis: "x" };
  const hover = (form) => `%{y:${form}}<extra>${said}</extra>`;
  const few = looks.length <= SMOOTHED_TO;
  return {
    soft,
    traces: [
      line(at, loss, { mode: "lines", line: { color, width: 0.8 }, opacity: 0.28, hoverinfo: "skip" }),
      line(at, soft, {
        mode: at.length === 1 ? "markers" : "lines",
        line: { color, width: 2.2, dash },
        marker: { color },
        hovertemplate: hover(".4g"),
      }),
      line(looks, metrics.epochs.train_accuracy, {
        ...lower,
        mode: "lines",
        line: { color, width: 1, dash },
        opacity: 0.6,
        hoverinfo: "skip",
      }),
      line(looks, metrics.epochs.val_accuracy, {
        ...lower,
        mode: few ? "lines+markers" : "lines",
        line: { color, width: 2.2, dash },
        marker: { color, size: 6 },
        hovertemplate: hover(".1%"),
      }),
    ],
  };
}

/** Both axes, so that the strong lines fill the height: single steps may lie far away. */
export function layoutFor(softs, unit) {
  const values = softs.flat();
  const lowest = values.reduce((a, b) => Math.min(a, b), Infinity);
  const first = Math.max(...softs.map((soft) => soft[0] ?? 0));
  const highest = Math.min(values.reduce((a, b) => Math.max(a, b), -Infinity), FAR * first || Infinity);
  const wide = lowest > 0 && lowest < highest / WIDE_RANGE;
  const loss = { domain: [0.46, 1], title: { text: t(wide ? "runs.loss_log" : "runs.loss"), standoff: 8 } };
  if (wide) {
    const ticks = highest < 300 * lowest ? { dtick: "D2" } : { nticks: 7 };
    Object.assign(loss, { type: "log", ...ticks, tickformat: "~g", range: [Math.log10(0.85 * lowest), Math.log10(1.15 * highest)] });
  } else if (lowest >= 0 && highest > 0 && values.length) loss.range = [0, 1.15 * highest];
  return {
    xaxis: { title: { text: t(`runs.axis_${unit}`), standoff: 6 }, anchor: "y2", rangemode: "tozero", hoverformat: unit === "steps" ? "d" : ".2f" },
    yaxis: loss,
    yaxis2: { domain: [0, 0.38], range: [0, 1.02], tickformat: ".0%", title: { text: t("runs.accuracy"), standoff: 8 } },
    hovermode: "x unified",
    uirevision: `${unit} ${wide}`,
    margin: { l: 56, r: 12, t: 8, b: 44 },
  };
}

// Plotly, loaded once, in the colours of the page.
import { url } from "./api.js";
import { t } from "./text.js";

/** One for each curve, light and dark as the page is: see style.css. Also good as colours in CSS. */
export const COLOURS = [1, 2, 3, 4, 5, 6, 7].map((place) => `var(--series-${place})`);
export const DASHES = ["solid", "dash", "dot", "dashdot"];

const drawn = new Map(); // node → [traces, layout], to draw again in other colours
let library = null;

/** Draws, or draws anew in the same place. Traces and layout are Plotly's; colours may be "var(--name)". */
export async function chart(node, traces, layout = {}) {
  const Plotly = await plotly();
  drawn.set(node, [traces, layout]);
  const look = getComputedStyle(document.documentElement);
  await Plotly.react(node, resolved(traces, look), merged(basis(look), resolved(layout, look)), {
    displayModeBar: false,
    responsive: true,
    doubleClick: "reset",
    scrollZoom: false,
  });
  return node;
}

/** Adds points at the end of traces: extend(node, {x: [[…]], y: [[…]]}, [0]). */
export async function extend(node, points, which) {
  await (await plotly()).extendTraces(node, points, which);
}

/** Lets go of the chart and of what it listens to. */
export function purge(node) {
  drawn.delete(node);
  globalThis.Plotly?.purge(node);
}

/** Text as Plotly has to get it to show it as it is: it takes <b> and &amp; for markup, and %{x} for a place. */
export function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "%\u200b{");
}

function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url("/static/plotly.min.js");
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => {
      library = null; // to be tried again
      reject(new Error(t("shell.no_charts")));
    };
    document.head.append(script);
  });
  return library;
}

function basis(look) {
  const [ink, faint, line] = ["--ink", "--ink-soft", "--line"].map((name) => look.getPropertyValue(name).trim());
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: look.getPropertyValue("--font").trim(), size: 12, color: faint },
    colorway: COLOURS.map((colour) => resolved(colour, look)),
    margin: { l: 48, r: 12, t: 12, b: 40 },
    xaxis: axis,
    yaxis: axis,
    xaxis2: axis,
    yaxis2: axis,
    hoverlabel: {
      bgcolor: look.getPropertyValue("--card").trim(),
      bordercolor: line,
      font: { color: ink, family: look.getPropertyValue("--font").trim() },
      namelength: -1,
    },
    showlegend: false,
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
  };
}

/** Axes that the layout does not speak of are not made up: Plotly would draw them. */
function merged(base, layout) {
  const out = { ...base, ...layout };
  for (const name of ["font", "margin", "hoverlabel"]) out[name] = { ...base[name], ...layout[name] };
  for (const name of Object.keys(out)) {
    if (!/^[xy]axis\d*$/.test(name)) continue;
    if (name in layout || !/\d$/.test(name)) out[name] = { ...base.xaxis, ...layout[name] };
    else delete out[name];
  }
  return out;
}

function resolved(value, look) {
  if (typeof value === "string") {
    const name = /^var\((--[\w-]+)\)$/.exec(value);
    return name ? look.getPropertyValue(name[1]).trim() : value;
  }
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((each) => resolved(each, look));
  if (value && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolved(each, look)]));
  return value;
}

// app.js says so when the page changes between dark and light.
addEventListener("pellucid:theme", () => {
  for (const [node, [traces, layout]] of drawn) {
    if (node.isConnected) chart(node, traces, layout);
    else purge(node);
  }
});

// One map, enlarged, with the image that it answers to and the filter that made it beside it.
import { url } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { icon } from "../../lib/icons.js";
import { number, t } from "../../lib/text.js";
import { tile } from "../../lib/tiles.js";

const SIDE = 260; // CSS pixels of each picture
const NARROW = 700; // a window that has room for two beside each other
/** Steps that keep the channels apart: behind them, a map is still that of one filter. */
const APART = ["BatchNorm", "GroupNorm", "ReLU", "GELU", "SiLU", "MaxPool", "AvgPool", "Dropout", "Scale"];

export function enlarged({ base, network, image }) {
  const title = h("h2", { id: "map-title" });
  const place = h("span", { class: "soft" });
  const body = h("div", { class: "body" });
  const close = h("button", { type: "button", class: "bare", "aria-label": t("image.close"), title: t("image.close"), dataset: { test: "close" }, onclick: () => node.close() }, icon("close"));
  const turn = (key, sign, by, name) => h("button", { type: "button", class: "small", "aria-label": t(key), dataset: { test: name }, onclick: () => go(by) }, sign);
  const [before, after] = [turn("image.map_before", "‹", -1, "map-before"), turn("image.map_after", "›", 1, "map-after")];
  const node = h(
    "dialog",
    { class: "enlarged", "aria-labelledby": "map-title", dataset: { test: "enlarged" }, onkeydown: keys, onclick: (event) => event.target === node && node.close() },
    h("div", { class: "inside" }, h("header", {}, title, close), body, h("footer", {}, before, place, after, h("span", { class: "soft how" }, t("image.arrows")))),
  );
  let layer = null;
  let index = 0;

  function open(which, at) {
    [layer, index] = [which, at];
    draw();
    if (!node.open) node.showModal(); // which gives the focus to the first button, and back when it is closed
  }

  function go(by) {
    const next = index + by;
    if (next >= 0 && next < layer.shown) open(layer, next);
  }

  function draw() {
    const [height, width] = layer.cell;
    const room = innerWidth < NARROW ? Math.min(SIDE, Math.floor((innerWidth - 72) / 2)) : SIDE;
    const scale = Math.max(room / 512, Math.floor(room / Math.max(height, width)));
    fill(title, t("image.map", { index, layer: layer.name }));
    fill(place, t("image.map_place", { index: number(index + 1), count: number(layer.shown) }));
    const picture = tile(layer.sheet, { columns: layer.columns, cell: layer.cell, index, scale, label: title.textContent });
    const size = { width: `${width * scale}px`, height: `${height * scale}px` };
    const seen = h("img", { class: "input", src: image, alt: t("image.seen"), style: size });
    body.style.setProperty("--room", `${room}px`);
    fill(body, figure(t("image.the_image"), seen), figure(t("image.answer"), picture, legend(layer)), filter());
    node.dataset.index = index;
    node.dataset.layer = layer.name;
    before.disabled = index === 0;
    after.disabled = index === layer.shown - 1;
  }

  /** The weights behind the map, where there is one filter behind it. */
  function filter() {
    const made = madeBy(network.layers, layer.name);
    if (!made) return null;
    const asked = new URLSearchParams({ layer: made.name, filter: index, stamp: network.stamp });
    const name = t("image.filter", { index, layer: made.name });
    const picture = h("img", { class: "filter", alt: name, src: url(`${base}/filter.png?${asked}`), dataset: { test: "filter", layer: made.name, filter: index } });
    return figure(made.name === layer.name ? t("image.its_filter") : t("image.filter_behind", { layer: made.name }), picture);
  }

  function keys(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -index, End: layer.shown - 1 - index }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    go(by);
  }

  return { node, open };
}

function figure(words, ...pictures) {
  return h("figure", {}, pictures, h("figcaption", {}, words));
}

function legend({ low, high }) {
  const most = Math.max(Math.abs(low), Math.abs(high));
  const signed = low < 0;
  return h("div", { class: "legend" }, h("span", {}, number(signed ? -most : 0)), h("span", { class: ["scale", signed ? "signed" : "grey"] }), h("span", {}, number(most)));
}

/** The layer whose filters the maps of this one come from, one each; null where there is none. */
function madeBy(layers, name) {
  for (let at = layers.findIndex((each) => each.name === name); at >= 0; at -= 1) {
    if (layers[at].filters) return layers[at];
    if (!APART.includes(layers[at].kind) || at === 0 || chainOf(layers[at]) !== chainOf(layers[at - 1])) return null;
  }
  return null;
}

/** "residual1.shortcut.conv1" → "residual1.shortcut", the steps that follow one another; "" outside of blocks. */
function chainOf({ name }) {
  return name.slice(0, Math.max(0, name.lastIndexOf(".")));
}

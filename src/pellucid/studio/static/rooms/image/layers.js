// Every layer's answer to the image: maps as pictures side by side, vectors as bars.
import { h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { tile } from "../../lib/tiles.js";
import { enlarged } from "./enlarged.js";

const MAP_SIDE = 62; // CSS pixels that a map is about wide
const MOST_BARS = 200;

export function layers(result, { base, network }) {
  const known = new Map(network.layers.map((layer) => [layer.name, layer]));
  const dialog = enlarged({ base, network, known });
  const parts = result.layers.map((layer) => (layer.sheet ? maps(layer, dialog) : vector(layer, network.classes)));
  return h("section", { class: "layers", "aria-label": t("image.layers") }, h("h2", {}, t("image.layers")), h("p", { class: "soft how" }, t("image.layers_how")), parts, dialog.node);
}

function heading(layer) {
  return [h("h3", {}, layer.name), h("span", { class: "soft mono step" }, layer.step), h("span", { class: "soft" }, layer.shape.join(" × "))];
}

function maps(layer, dialog) {
  const [height, width] = layer.cell;
  const scale = MAP_SIDE / width;
  const buttons = Array.from({ length: layer.shown }, (_, index) => {
    const name = t("image.map", { index, layer: layer.name });
    return h(
      "button",
      { type: "button", class: "map", title: name, "aria-label": name, dataset: { test: "map", layer: layer.name, index }, onclick: () => dialog.open(layer, index) },
      tile(layer.sheet, { columns: layer.columns, cell: layer.cell, index, scale }),
    );
  });
  const rest = layer.shape[0] - layer.shown;
  return h(
    "article",
    { class: "card layer", dataset: { test: "layer", layer: layer.name } },
    h("header", {}, heading(layer), h("span", { class: "soft range" }, t("image.range", { low: number(layer.low), high: number(layer.high) }))),
    h("div", { class: "maps" }, buttons),
    rest > 0 && h("p", { class: "soft" }, t("image.not_shown", { count: rest })),
  );
}

function vector(layer, classes) {
  const values = layer.values.slice(0, MOST_BARS);
  const most = Math.max(1e-30, ...values.map(Math.abs));
  const named = values.length === classes.length;
  const bars = values.map((value, index) => {
    const name = `${named ? classes[index] : index}: ${number(value)}`;
    return h("span", { class: value < 0 ? "below" : "above", title: name, style: { "--size": Math.abs(value) / most } });
  });
  return h(
    "article",
    { class: "card layer", dataset: { test: "layer", layer: layer.name } },
    h("header", {}, heading(layer)),
    h("div", { class: "vector", role: "img", "aria-label": t("image.vector", { layer: layer.name, count: values.length }) }, bars),
    layer.values.length > values.length && h("p", { class: "soft" }, t("image.not_shown", { count: layer.values.length - values.length })),
  );
}

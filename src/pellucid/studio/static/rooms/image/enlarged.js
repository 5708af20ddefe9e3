// One map, enlarged, with the filter that made it beside it.
import { url } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { t } from "../../lib/text.js";
import { tile } from "../../lib/tiles.js";

const SIDE = 320;

export function enlarged({ base, network, known }) {
  const body = h("div", { class: "body" });
  const title = h("h2", { id: "map-title" });
  const node = h(
    "dialog",
    { class: "enlarged card", "aria-labelledby": "map-title", dataset: { test: "enlarged" }, onkeydown: keys, onclick: (event) => event.target === node && node.close() },
    title,
    body,
    h("p", { class: "soft how" }, t("image.arrows")),
    h("button", { type: "button", autofocus: true, onclick: () => node.close() }, t("shell.close")),
  );
  let layer = null;
  let index = 0;

  function open(which, at) {
    [layer, index] = [which, at];
    draw();
    if (!node.open) node.showModal(); // which gives the focus back when it is closed
  }

  function draw() {
    const [height, width] = layer.cell;
    const scale = Math.max(1, Math.floor(Math.min(SIDE, innerWidth - 80) / Math.max(height, width)));
    fill(title, t("image.map", { index, layer: layer.name }));
    const picture = tile(layer.sheet, { columns: layer.columns, cell: layer.cell, index, scale, label: title.textContent });
    fill(body, h("figure", {}, picture, h("figcaption", {}, t("image.answer"))), filter());
    node.dataset.index = index;
  }

  /** The weights behind the map; a layer that has none shows those of nothing. */
  function filter() {
    if (!known.get(layer.name)?.filters) return null;
    const asked = new URLSearchParams({ layer: layer.name, filter: index, stamp: network.stamp });
    const picture = h("img", { class: "filter", alt: t("image.filter", { index, layer: layer.name }), src: url(`${base}/filter.png?${asked}`), dataset: { test: "filter" } });
    return h("figure", {}, picture, h("figcaption", {}, t("image.its_filter")));
  }

  function keys(event) {
    const step = { ArrowRight: 1, ArrowDown: layer.columns, ArrowLeft: -1, ArrowUp: -layer.columns }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = index + step;
    if (next >= 0 && next < layer.shown) open(layer, next);
  }

  return { node, open };
}

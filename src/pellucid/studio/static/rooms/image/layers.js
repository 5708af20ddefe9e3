// Every layer's answer to the image, in order: maps as pictures, numbers as bars; and a way to each.
import { h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { tile } from "../../lib/tiles.js";
import { arrows } from "./arrows.js";
import { enlarged } from "./enlarged.js";
import { vector } from "./vector.js";

const SIDE = 62; // CSS pixels that a map is about wide
const FIRST = 30; // maps of a layer that are shown before one asks for all
const FEW = 36; // that are all shown

export function layers(result, { base, network }) {
  const dialog = enlarged({ base, network, image: result.input });
  const cards = result.layers.map((layer) => card(layer, { dialog, network }));
  const { node: path, end } = way(result.layers, cards);
  const node = h(
    "section",
    { class: "layers", "aria-label": t("image.layers") },
    h("div", {}, h("h2", {}, t("image.layers")), h("p", { class: "soft how" }, t("image.layers_how"))),
    path,
    cards,
    dialog.node,
  );
  return { node, end };
}

function card(layer, { dialog, network }) {
  const signed = layer.low < 0;
  const legend = layer.sheet && h("span", { class: "soft range" }, h("span", { class: ["scale", signed ? "signed" : "grey"] }), t("image.range", { low: number(layer.low), high: number(layer.high) }));
  return h(
    "article",
    { class: "card layer", tabindex: "-1", "aria-label": layer.name, dataset: { test: "layer", layer: layer.name } },
    h("header", {}, h("h3", {}, layer.name), h("span", { class: "soft mono step" }, layer.step), h("span", { class: "soft shape" }, layer.shape.join(" × ")), legend),
    layer.sheet ? maps(layer, dialog) : vector(layer, network.classes),
  );
}

function maps(layer, dialog) {
  const width = layer.cell[1];
  const scale = width >= SIDE ? SIDE / width : Math.round(SIDE / width);
  const list = h("div", { class: "maps", role: "group", "aria-label": t("image.maps", { layer: layer.name }), style: { "--side": `${width * scale}px` } });
  const settle = arrows(list);
  const all = h("button", { type: "button", class: "small more", dataset: { test: "all-maps" }, onclick: () => add(layer.shown, true) }, t("image.all_maps", { count: layer.shown }));
  const rest = h("p", { class: "soft rest" }, t("image.not_shown", { count: number(layer.shape[0] - layer.shown) }));

  function add(until, focus) {
    const from = list.children.length;
    for (let index = from; index < until; index += 1) list.append(map(layer, index, scale, dialog));
    all.hidden = until >= layer.shown;
    rest.hidden = !all.hidden || layer.shown >= layer.shape[0];
    settle(list.children[focus ? from : 0]);
    if (focus) list.children[from].focus();
  }

  add(layer.shown > FEW ? FIRST : layer.shown, false);
  return [list, all, rest];
}

function map(layer, index, scale, dialog) {
  const name = t("image.map", { index, layer: layer.name });
  return h(
    "button",
    { type: "button", class: "map", title: name, "aria-label": name, dataset: { test: "map", layer: layer.name, index }, onclick: () => dialog.open(layer, index) },
    tile(layer.sheet, { columns: layer.columns, cell: layer.cell, index, scale }),
  );
}

/** The layers' names in a row that stays in sight; the one that is looked at is marked. */
function way(all, cards) {
  const list = h("div", { class: "links", role: "group" });
  const settle = arrows(list);
  const links = cards.map((target, at) => h("button", { type: "button", class: "link", dataset: { test: "to-layer", layer: all[at].name }, onclick: () => go(target) }, all[at].name));
  const seen = new Set();
  let chosen = null; // the card that was gone to, which need not be the uppermost: the last ones cannot be

  function go(target) {
    chosen = target;
    target.scrollIntoView({ block: "start" });
    target.focus({ preventScroll: true });
    mark();
  }

  function mark() {
    const at = chosen ? cards.indexOf(chosen) : cards.findIndex((each) => seen.has(each));
    links.forEach((link, place) => (place === at ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    if (at >= 0) list.scrollLeft = links[at].offsetLeft - list.clientWidth / 3;
  }

  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        seen[isIntersecting ? "add" : "delete"](target);
        if (target === chosen && !isIntersecting) chosen = null;
      }
      mark();
    },
    { rootMargin: "-140px 0px 0px 0px" },
  );
  for (const each of cards) observer.observe(each);
  list.append(...links);
  settle();
  return { node: h("nav", { class: "path", "aria-label": t("image.path") }, list), end: () => observer.disconnect() };
}

// For each filter of a layer, the test images that it answers to most, with the part of them that it saw.
import { isAbort, job, url } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { sheetUrl, tile } from "../../lib/tiles.js";

const TOP = 9;
const ROWS = 16; // filters at once, so that a layer of 512 does not choke the page
const SIDE = 64;

export function strongest(root, { base, app, network }) {
  const layers = network.layers.filter(({ filters }) => filters > 0);
  const content = h("div", { class: "rows" });
  if (!network.images || !layers.length) {
    fill(root, h("h2", {}, t("filters.strongest")), h("p", { class: "empty" }, t(layers.length ? "filters.no_images" : "filters.no_layers")));
    return;
  }
  let stop = null;
  const choose = h(
    "select",
    { "aria-label": t("filters.layer"), dataset: { test: "layer-choice" }, onchange: ask },
    layers.map(({ name, filters, frozen }) => h("option", { value: name }, `${name} (${filters}${frozen ? `, ${t("filters.is_frozen")}` : ""})`)),
  );
  const go = h("button", { type: "button", class: "main", dataset: { test: "ask" }, onclick: ask }, t("filters.ask"));
  const bar = h("div", { class: "bar" }, h("label", {}, t("filters.layer"), choose), go);
  fill(root, h("h2", {}, t("filters.strongest")), h("p", { class: "soft how" }, t("filters.strongest_how")), bar, content);
  const later = layers.find(({ frozen }, at) => at > 0 && !frozen);
  if (later) choose.value = later.name;

  async function ask() {
    stop?.abort();
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, app.signal]);
    const bar = h("progress", { max: 1, "aria-label": t("filters.working") });
    const words = h("p", { class: "soft", role: "status" }, t("filters.working"));
    fill(content, h("div", { dataset: { test: "working" } }, words, bar));
    go.hidden = true;
    try {
      const asked = new URLSearchParams({ layer: choose.value, top: TOP });
      const onProgress = ({ done, total }) => (bar.value = total ? done / total : 0);
      rows(await job(`${base}/strongest?${asked}`, { signal, onProgress }));
    } catch (error) {
      if (isAbort(error)) return;
      fill(content);
      go.hidden = false;
      app.fail(error, { again: ask });
    }
  }

  function rows({ layer, examined, filters }) {
    const list = h("ul", { class: "filters" });
    const more = h("button", { type: "button", class: "more", onclick: next }, t("filters.more"));
    let shown = 0;

    function next() {
      list.append(...filters.slice(shown, shown + ROWS).map((each) => row(each, layer)));
      shown += ROWS;
      more.hidden = shown >= filters.length;
    }

    fill(content, h("p", { class: "soft" }, t("filters.examined", { count: number(examined) })), list, more);
    next();
  }

  function row({ filter, answers }, layer) {
    const asked = new URLSearchParams({ layer, filter, stamp: network.stamp });
    const [, height, width] = network.input;
    const scale = width >= SIDE ? SIDE / width : Math.round(SIDE / width);
    const sheet = sheetUrl(app.item.id, answers.map(({ image }) => image));
    const tiles = answers.map((each, index) => answer(each, tile(sheet, { cell: [height, width], index, scale }), scale));
    return h(
      "li",
      { dataset: { test: "strongest", filter } },
      h("figure", {}, h("img", { class: "weights", alt: t("filters.filter", { filter }), src: url(`${base}/filter.png?${asked}`) }), h("figcaption", { class: "soft" }, filter)),
      h("div", { class: "answers" }, tiles),
    );
  }

  function answer({ image, label, value, box: [y0, x0, y1, x1] }, picture, scale) {
    const frame = h("span", { class: "box", style: { left: `${x0 * scale}px`, top: `${y0 * scale}px`, width: `${(x1 - x0) * scale}px`, height: `${(y1 - y0) * scale}px` } });
    const words = t("filters.answer", { image, label, value: number(value) });
    const place = `#/image/${encodeURIComponent(app.item.id)}/${image}`;
    return h("a", { class: "answer", href: place, title: words, "aria-label": words, dataset: { test: "answer", image, value } }, h("span", { class: "framed" }, picture, frame), h("span", { class: "soft" }, label));
  }
}

// A row a filter: its picture, and the images it answers to most, each with the part of it that the filter saw.
import { url } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { sheetUrl, tile } from "../../lib/tiles.js";

const ROWS = 16; // at once, so that a layer of 512 does not choke the page
const SIDE = 64; // CSS pixels that a tile is about wide

/** The rows of a result, with what looks for some of them. `about` has base, id, stamp and size: see strongest.js. */
export function rows(result, about) {
  const all = result.filters.map((filter) => ({ ...filter, most: commonest(filter.answers) }));
  const list = h("ul", { class: "filters" });
  const none = h("p", { class: "empty" }, t("filters.none_found"));
  const words = h("p", { class: "soft", role: "status", dataset: { test: "found" } });
  const more = h("button", { type: "button", class: "more", dataset: { test: "more" }, onclick: () => next(true) }, t("filters.more"));
  const numbers = h("input", { type: "search", inputmode: "numeric", autocomplete: "off", placeholder: t("filters.numbers_like"), dataset: { test: "numbers" }, oninput: choose });
  const labels = [...new Set(all.map(({ most }) => most.label))].sort((a, b) => a.localeCompare(b));
  const ofClass = h(
    "select",
    { dataset: { test: "mostly" }, onchange: choose },
    h("option", { value: "" }, t("filters.any_class")),
    labels.map((label) => h("option", { value: `=${label}` }, label)),
  );
  let found = all;
  let shown = 0;

  function choose() {
    const wanted = numbersOf(numbers.value);
    const label = ofClass.value.slice(1);
    found = all.filter(({ filter, most }) => wanted(filter) && (!ofClass.value || most.label === label));
    if (ofClass.value) found.sort((a, b) => b.most.count - a.most.count);
    fill(list);
    shown = 0;
    next(false);
  }

  function next(focus) {
    const some = found.slice(shown, shown + ROWS);
    const images = [...new Set(some.flatMap(({ answers }) => answers.map(({ image }) => image)))];
    const sheet = { url: images.length ? sheetUrl(about.id, images) : null, place: new Map(images.map((image, at) => [image, at])) };
    const made = some.map((each) => row(each, result.layer, about, sheet));
    list.append(...made);
    shown += some.length;
    more.hidden = shown >= found.length;
    none.hidden = found.length > 0;
    fill(words, t("filters.examined", { shown: number(shown), count: number(all.length), examined: number(result.examined) }));
    if (focus) made[0]?.querySelector("a")?.focus();
  }

  choose();
  const search = h("div", { class: "bar search" }, h("label", {}, t("filters.numbers"), numbers), h("label", {}, t("filters.mostly"), ofClass));
  return [all.length > ROWS / 2 && search, words, list, none, more];
}

/** "3, 10-20" → whether a number is meant; all are where nothing is typed, none where it cannot be read. */
function numbersOf(text) {
  const parts = text.split(/[\s,，、;]+/).filter(Boolean);
  const ranges = parts.map((part) => /^(\d+)(?:[-–](\d*))?$/.exec(part)).map((match) => match && [Number(match[1]), match[2] ? Number(match[2]) : Number(match[1])]);
  return (filter) => !parts.length || ranges.some((range) => range && range[0] <= filter && filter <= range[1]);
}

/** The class that most of the images show: {label, count}. */
function commonest(answers) {
  const counts = new Map();
  for (const { label } of answers) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [label, count] = [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), ["", 0]);
  return { label, count };
}

function row({ filter, answers, most }, layer, { base, id, stamp, size }, sheet) {
  const asked = new URLSearchParams({ layer, filter, stamp });
  const [height, width] = size;
  const scale = width >= SIDE ? SIDE / width : Math.round(SIDE / width);
  const tiles = answers.map((each) => {
    const picture = tile(sheet.url, { cell: [height, width], index: sheet.place.get(each.image), scale });
    return h("li", {}, answer(each, picture, scale, id));
  });
  return h(
    "li",
    { class: "filter", dataset: { test: "strongest", filter } },
    h(
      "figure",
      {},
      h("img", { class: "weights", loading: "lazy", alt: t("filters.filter", { filter, layer }), src: url(`${base}/filter.png?${asked}`) }),
      h("figcaption", {}, h("b", {}, filter), most.count > answers.length / 2 && h("span", { class: "soft most" }, t("filters.most", { ...most, total: answers.length }))),
    ),
    h("ul", { class: "answers", style: { "--side": `${width * scale}px` } }, tiles),
  );
}

function answer({ image, label, value, box: [y0, x0, y1, x1] }, picture, scale, id) {
  const inPixels = (length) => `${length * scale}px`;
  const box = h("span", { class: "box", style: { left: inPixels(x0), top: inPixels(y0), width: inPixels(x1 - x0), height: inPixels(y1 - y0) } });
  const words = t("filters.answer", { image, label, value: number(value) });
  return h(
    "a",
    { class: "seen", href: `#/image/${encodeURIComponent(id)}/${image}`, title: words, "aria-label": words, dataset: { test: "answer", image, value } },
    h("span", { class: "framed" }, picture, box),
    h("span", { class: "label" }, label),
    h("span", { class: "soft" }, number(value)),
  );
}

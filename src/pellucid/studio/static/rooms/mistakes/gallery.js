// Images in rows, cut from sheets, with words below each.
import { h } from "../../lib/dom.js";
import { percent, t } from "../../lib/text.js";
import { sheetUrl, tile } from "../../lib/tiles.js";

const SIDE = 64; // CSS pixels that a tile is about wide
const AT_ONCE = 60; // images a sheet, and a press of "show more"

/** The gallery of `images`: {image, label, predicted, probability} each; `named`: whether the classes stand below. */
export function gallery({ itemId, part, size, images, named }) {
  const list = h("ul", { class: ["gallery", named && "named"] });
  const more = h("button", { type: "button", class: "more", onclick: () => show(true) }, t("mistakes.more"));
  let shown = 0;

  function show(focus) {
    const next = images.slice(shown, shown + AT_ONCE);
    const sheet = sheetUrl(itemId, next.map(({ image }) => image), part);
    const entries = next.map((each, index) => entry(each, { itemId, part, size, sheet, index, named }));
    list.append(...entries);
    shown += next.length;
    more.hidden = shown >= images.length;
    if (focus) entries[0]?.querySelector("a")?.focus();
  }

  show(false);
  return h("div", {}, list, more);
}

function entry(each, { itemId, part, size: [height, width], sheet, index, named }) {
  const scale = width >= SIDE ? SIDE / width : Math.round(SIDE / width);
  const probability = percent(each.probability);
  const words = t("mistakes.picture", { ...each, index: each.image, probability });
  const picture = tile(sheet, { cell: [height, width], index, scale, label: words });
  picture.title = words;
  const link = part === "test" && h("a", { href: `#/image/${encodeURIComponent(itemId)}/${each.image}`, "aria-label": `${words}. ${t("mistakes.look")}` }, picture);
  return h(
    "li",
    { dataset: { test: "picture", image: each.image } },
    link || picture,
    named && h("span", { class: "names" }, t("mistakes.pair_short", each)),
    h("span", { class: "soft" }, probability),
  );
}

// Which image: a page of test images, or one's own.
import { get, isAbort } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { sheetUrl, tile } from "../../lib/tiles.js";
import { arrows } from "./arrows.js";
import { own } from "./own.js";

const ROWS = 3; // of thumbnails
const SIDE = 48; // CSS pixels that one is about wide
const GAP = 4;
const NARROW = 480; // CSS pixels

export function chooser({ base, app, look }) {
  const yours = own({ look, fail: app.fail });
  const tiles = h("div", { class: "thumbnails", role: "group", "aria-label": t("image.test_images") });
  const settle = arrows(tiles);
  const words = h("span", { class: "soft page", role: "status", dataset: { test: "page" } });
  const ofClass = h("select", { "aria-label": t("image.of_class"), dataset: { test: "class" }, onchange: () => page(0) });
  const turn = (key, sign, name, by) =>
    h("button", { type: "button", class: "small", "aria-label": t(key), title: t(key), dataset: { test: name }, onclick: () => page(start + by * count) }, sign);
  const before = turn("image.before", "‹", "before", -1);
  const after = turn("image.after", "›", "after", 1);
  const any = h("button", { type: "button", class: "small", dataset: { test: "random" }, onclick: random }, t("image.random"));
  const browse = h("div", { class: "browse", hidden: true }, h("div", { class: "bar" }, ofClass, before, words, after, any), tiles);
  const node = h("section", { class: "card chooser", "aria-label": t("image.which") }, yours.node, browse);
  let network = null;
  let scale = 1;
  let start = 0;
  let count = 1; // thumbnails a page
  let total = 0;
  let found = [];
  let marked = null; // the test image that is looked at
  let asking = 0;

  /** Shows the page on which the image with this place is. */
  async function page(place) {
    const mine = ++asking;
    count = ROWS * fit();
    const from = Math.max(0, place - (place % count));
    const asked = new URLSearchParams({ start: from, count });
    if (ofClass.value) asked.set("label", ofClass.value.slice(1));
    try {
      const told = await get(`${base}/images?${asked}`, { signal: app.signal });
      if (mine !== asking) return;
      [start, total, found] = [from, told.total, told.images];
      draw();
    } catch (error) {
      if (!isAbort(error)) app.fail(error, { again: () => page(place) });
    }
  }

  /** Sets the scale by the room that there is, and gives how many thumbnails fit beside each other. */
  function fit() {
    const width = network.input[2];
    const room = tiles.clientWidth + GAP;
    scale = width >= SIDE ? SIDE / width : Math.round(SIDE / width);
    let columns = Math.max(1, Math.floor(room / (width * scale + GAP)));
    if (room < NARROW) {
      columns = Math.ceil(room / (width * scale + GAP));
      scale = (room / columns - GAP) / width; // no whole number, but nothing is left over
    }
    tiles.style.setProperty("--side", `${width * scale}px`);
    return columns;
  }

  function draw() {
    const hadFocus = tiles.contains(document.activeElement);
    const sheet = found.length ? sheetUrl(app.item.id, found.map(({ index }) => index)) : null;
    fill(tiles, found.map((each, at) => thumbnail(each, sheet, at)));
    mark({ index: marked });
    if (hadFocus) tiles.querySelector("[tabindex='0']")?.focus();
    const last = start + found.length;
    fill(words, found.length ? t("image.page", { first: number(start + 1), last: number(last), total: number(total) }) : t("image.none"));
    before.disabled = start === 0;
    after.disabled = last >= total;
  }

  function thumbnail({ index, label }, sheet, at) {
    const name = t("image.number", { index, label });
    const picture = tile(sheet, { cell: network.input.slice(1), index: at, scale });
    return h("button", { type: "button", class: "thumbnail", title: name, "aria-label": name, "aria-pressed": "false", dataset: { test: "thumbnail", index }, onclick: () => look({ index }) }, picture);
  }

  function mark({ index }) {
    marked = index ?? null;
    for (const button of tiles.children) button.setAttribute("aria-pressed", String(Number(button.dataset.index) === marked));
    settle(tiles.querySelector("[aria-pressed='true']"));
  }

  async function random() {
    if (!total) return;
    const place = Math.floor(Math.random() * total);
    await page(place);
    const chosen = found[place - start];
    if (chosen) look({ index: chosen.index });
  }

  return {
    node,
    mark,
    async begin(told, place) {
      network = told;
      node.classList.toggle("alone", !network.images);
      if (!network.images) return;
      browse.hidden = false;
      const options = network.classes.map((name) => h("option", { value: `=${name}` }, name));
      fill(ofClass, h("option", { value: "" }, t("image.all_classes")), options);
      await page(place < network.images ? place : 0);
    },
    end: yours.end,
  };
}

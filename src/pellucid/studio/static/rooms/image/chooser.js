// Which image: a page of test images, or one's own by dropping, pasting or choosing a file.
import { get, isAbort } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { sheetUrl, tile } from "../../lib/tiles.js";

const AT_ONCE = 40;
const SIDE = 48; // CSS pixels that a thumbnail is about wide

export function chooser({ base, app, look }) {
  const tiles = h("div", { class: "thumbnails", role: "group", "aria-label": t("image.test_images") });
  const words = h("span", { class: "soft", dataset: { test: "page" } });
  const ofClass = h("select", { "aria-label": t("image.of_class"), onchange: () => page(0) });
  const own = h("input", { type: "file", accept: "image/*", class: "file", dataset: { test: "file" }, onchange: () => take(own.files) });
  const drop = h("label", { class: "drop", dataset: { test: "drop" } }, own, h("span", {}, h("b", {}, t("image.drop")), " ", t("image.or_choose")));
  const before = h("button", { type: "button", class: "small", "aria-label": t("image.before"), onclick: () => page(start - AT_ONCE) }, "‹");
  const after = h("button", { type: "button", class: "small", "aria-label": t("image.after"), dataset: { test: "after" }, onclick: () => page(start + AT_ONCE) }, "›");
  const any = h("button", { type: "button", class: "small", dataset: { test: "random" }, onclick: random }, t("image.random"));
  const bar = h("div", { class: "bar" }, ofClass, before, words, after, any);
  const browse = h("div", { class: "browse" }, bar, tiles);
  const node = h("section", { class: "card chooser" }, drop, browse);
  let network = null;
  let start = 0;
  let total = 0;
  let found = [];
  let turn = 0;

  function take(files) {
    if (files?.length) look({ file: files[0] });
    own.value = ""; // the same file may be chosen again
  }

  async function page(from) {
    const mine = ++turn;
    const asked = new URLSearchParams({ start: Math.max(0, from), count: AT_ONCE });
    if (ofClass.value) asked.set("label", ofClass.value);
    try {
      const told = await get(`${base}/images?${asked}`, { signal: app.signal });
      if (mine !== turn) return;
      [start, total, found] = [Math.max(0, from), told.total, told.images];
      draw();
    } catch (error) {
      if (!isAbort(error)) app.fail(error, { again: () => page(from) });
    }
  }

  function draw() {
    const [height, width] = network.input.slice(1);
    const scale = width >= SIDE ? SIDE / width : Math.round(SIDE / width);
    const sheet = found.length ? sheetUrl(app.item.id, found.map(({ index }) => index)) : null;
    const buttons = found.map(({ index, label }, at) => {
      const name = t("image.number", { index, label });
      return h(
        "button",
        { type: "button", class: "thumbnail", title: name, "aria-label": name, "aria-pressed": "false", dataset: { test: "thumbnail", index }, onclick: () => look({ index }) },
        tile(sheet, { cell: [height, width], index: at, scale }),
      );
    });
    fill(tiles, buttons);
    const last = start + found.length;
    fill(words, found.length ? t("image.page", { first: number(start + 1), last: number(last), total: number(total) }) : t("image.none"));
    before.disabled = start === 0;
    after.disabled = last >= total;
  }

  async function random() {
    if (!total) return;
    const from = Math.floor(Math.random() * total);
    await page(from - (from % AT_ONCE));
    const chosen = found[from % AT_ONCE] ?? found[0];
    if (chosen) look({ index: chosen.index });
  }

  const over = (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    drop.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files);
  };
  const pasted = (event) => take([...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/")));
  for (const name of ["dragover", "dragleave", "drop"]) addEventListener(name, over);
  addEventListener("paste", pasted);

  return {
    node,
    first: () => found[0]?.index,
    async begin(told) {
      network = told;
      browse.hidden = !network.images;
      const options = network.classes.map((name) => h("option", { value: name }, name));
      fill(ofClass, h("option", { value: "" }, t("image.all_classes")), options);
      if (network.images) await page(0);
    },
    mark({ index }) {
      for (const button of tiles.children) button.setAttribute("aria-pressed", String(Number(button.dataset.index) === index));
    },
    close() {
      for (const name of ["dragover", "dragleave", "drop"]) removeEventListener(name, over);
      removeEventListener("paste", pasted);
    },
  };
}

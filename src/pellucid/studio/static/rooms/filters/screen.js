// The grid of filters: a picture of one pixel a weight, drawn large and sharp, in as many columns as fit best.
import { h } from "../../lib/dom.js";

const GAP = 6; // CSS pixels between filters
const MOST_HIGH = 400; // CSS pixels
const SHARE = 0.5; // of the window's height, at most
const LARGEST = 36; // CSS pixels a weight
const ASPECT = 2; // width to height

export function screen(label) {
  const canvas = h("canvas", { class: "mosaic", role: "img", "aria-label": label, dataset: { test: "frame" } });
  const node = h("div", { class: "screen" }, canvas);
  let last = null;
  let width = 0;
  const observer = new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) < 1) return; // its height follows from what is drawn
    width = contentRect.width;
    paint();
  });
  observer.observe(node);

  /** One frame: `filters` cells of `cell` pixels, `columns` beside each other in the picture, a pixel between. */
  function show(picture, { filters, columns, cell }) {
    last = { picture, filters, columns, cell };
    paint();
  }

  function paint() {
    if (!last || !width) return;
    const { picture, filters, columns: from, cell } = last;
    const [height, across] = cell;
    const { columns, rows, scale } = arranged(filters, cell, width, Math.min(MOST_HIGH, SHARE * innerHeight));
    const size = [columns * (across * scale + GAP) - GAP, rows * (height * scale + GAP) - GAP];
    const dense = devicePixelRatio || 1;
    [canvas.width, canvas.height] = size.map((side) => Math.round(side * dense));
    [canvas.style.width, canvas.style.height] = size.map((side) => `${side}px`);
    const pen = canvas.getContext("2d");
    pen.scale(dense, dense);
    pen.imageSmoothingEnabled = scale < 1;
    for (let k = 0; k < filters; k += 1) {
      const [x, y] = [(k % from) * (across + 1), Math.floor(k / from) * (height + 1)];
      const [left, top] = [(k % columns) * (across * scale + GAP), Math.floor(k / columns) * (height * scale + GAP)];
      pen.drawImage(picture, x, y, across, height, left, top, across * scale, height * scale);
    }
  }

  return { node, canvas, show, end: () => observer.disconnect() };
}

/** The columns with which the cells become largest; of equal ones those that leave the fewest places empty, and then
 *  those that lie as a screen does. */
function arranged(count, [height, across], width, high) {
  let best = null;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const room = Math.min((width - (columns - 1) * GAP) / (columns * across), (high - (rows - 1) * GAP) / (rows * height));
    const scale = room >= 1 ? Math.min(LARGEST, Math.floor(room)) : Math.max(room, 1 / Math.max(height, across));
    const empty = rows * columns - count;
    const off = Math.abs(Math.log((columns * across) / (rows * height) / ASPECT));
    const better = !best || scale - best.scale || best.empty - empty || best.off - off;
    if (better === true || better > 0) best = { columns, rows, scale, empty, off };
  }
  return best;
}

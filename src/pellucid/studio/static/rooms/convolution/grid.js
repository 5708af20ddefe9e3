// A grid of numbers, with padding shown apart and a frame that slides over it.
import { fill, h } from "../../lib/dom.js";
import { number } from "../../lib/text.js";
import { pickable } from "./pick.js";

/** Four digits, with a real minus. */
export function digits(x) {
  return number(x).replace("-", "−");
}

/**
 * grid({title, rows, columns, pad, test, wide, symbols, onPick, at, unseen})
 *   pad      so many rows and columns on each side are padding
 *   wide     cells for numbers with a point
 *   symbols  a name for each number, row by row (without the padding)
 *   onPick   called with a row and a column when a cell is clicked, or reached with the arrow keys
 *   at       (row, column) → data-… of a cell
 *   unseen   (row, column) → whether no window ever sees it
 * gives {node, title(…), show(cell, frame)}: cell(row, column) → {value, state}; value null is an empty cell;
 * frame is {row, column, rows, columns} or null.
 */
export function grid({ title, rows, columns, pad = 0, test, wide = false, symbols, onPick, at, unseen }) {
  const cells = [];
  const inPad = (r, c) => r < pad || c < pad || r >= rows - pad || c >= columns - pad;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const padded = inPad(r, c);
      const symbol = padded ? null : symbols?.[r - pad]?.[c - pad];
      const text = h("span");
      const data = { ...(test && !padded ? { test } : {}), ...(at?.(r - pad, c - pad) ?? {}) };
      const node = h("div", { class: "cell", dataset: data }, symbol && h("i", {}, symbol), text);
      const base = ["cell", padded && "padding", unseen?.(r, c) && "unseen"].filter(Boolean).join(" ");
      cells.push({ node, text, r, c, base });
    }
  const frame = h("div", { class: "frame", hidden: true });
  const box = h("div", { class: ["numbers", wide && "wide", onPick && "picks", symbols && "named"], style: { "--rows": rows, "--columns": columns }, onclick: pick }, cells.map(({ node }) => node), frame);
  const caption = h("figcaption", {}, title);
  const scroller = h("div", { class: "scroller" }, box);
  let here = null; // the cell that is worked on
  if (onPick) pickable(box, { rows, columns, label: () => caption.textContent, at: () => here, pick: onPick });

  function pick({ target }) {
    const found = onPick && cells.find(({ node }) => node.contains(target));
    if (found) onPick(found.r - pad, found.c - pad);
  }

  function show(cell, place = null) {
    here = null;
    for (const each of cells) {
      const { value, state = "" } = cell(each.r, each.c);
      if (state === "now") here ??= [each.r, each.c];
      const text = value === null || value === undefined ? "" : digits(value);
      if (each.text.textContent !== text) each.text.textContent = text;
      const name = state ? `${each.base} ${state}` : each.base;
      if (each.node.className !== name) each.node.className = name;
      const data = text === "" ? "" : String(value === 0 ? 0 : value);
      if (each.node.dataset.value !== data) each.node.dataset.value = data;
    }
    frame.hidden = !place;
    if (!place) return;
    for (const [name, value] of Object.entries(place)) frame.style.setProperty(`--${name}`, value);
    follow(scroller, box, place, columns);
  }

  return { node: h("figure", { class: "grid" }, caption, scroller), show, title: (...words) => fill(caption, ...words) };
}

/** Where the grid is wider than the screen, it scrolls with the window; the page itself does not move. */
function follow(scroller, box, { column, columns: span }, columns) {
  if (scroller.scrollWidth <= scroller.clientWidth) return;
  const cell = box.offsetWidth / columns;
  const [left, right] = [column * cell, (column + span) * cell];
  if (left < scroller.scrollLeft || right > scroller.scrollLeft + scroller.clientWidth)
    scroller.scrollLeft = (left + right - scroller.clientWidth) / 2;
}

/** The frame of a stop's window, and whether a cell is one that it sees (dilated windows have holes). */
export function windowOf({ HH, WW, S, D }, stop) {
  if (!stop) return { frame: null, sees: () => false, tap: () => null };
  const frame = { row: stop.i * S, column: stop.j * S, rows: (HH - 1) * D + 1, columns: (WW - 1) * D + 1 };
  const tap = (r, c) => {
    const [row, column] = [(r - frame.row) / D, (c - frame.column) / D];
    const within = Number.isInteger(row) && Number.isInteger(column) && row >= 0 && column >= 0 && row < HH && column < WW;
    return within ? [row, column] : null;
  };
  return { frame, tap, sees: (r, c) => tap(r, c) !== null };
}

/** (row, column) of the padded input → whether no window ever sees it. */
export function neverSeen({ unseen_rows, unseen_columns }) {
  const [rows, columns] = [new Set(unseen_rows), new Set(unseen_columns)];
  return (r, c) => rows.has(r) || columns.has(c);
}

/** "2:7, 6:11": what a stop's window takes out of the padded input, as Python writes it. */
export function slices({ HH, WW, S, D }, { i, j }) {
  const one = (at, size) => `${at * S}:${at * S + (size - 1) * D + 1}${D > 1 ? `:${D}` : ""}`;
  return `${one(i, HH)}, ${one(j, WW)}`;
}

/** Whether numbers want wide cells. */
export function isWide(...arrays) {
  return arrays.some((array) => array.flat(Infinity).some((x) => !Number.isInteger(x) || Math.abs(x) > 99));
}

/** The class of a scene: small inputs get larger cells. */
export function sceneClass({ W, P }) {
  return W + 2 * P <= 7 ? "scene roomy" : "scene";
}

/** A sign between two grids. */
export function sign(text) {
  return h("span", { class: "sign", "aria-hidden": "true" }, text);
}

/** A sign and what comes after it, which stay together where a row is broken. */
export function joined(text, ...after) {
  return h("div", { class: "joined" }, sign(text), after);
}

/** A name in code, and what it is. */
export function named(symbol, ...words) {
  return [h("b", { class: "mono", translate: "no" }, symbol), h("span", { class: "soft" }, ...words)];
}

/** A value with its name above, as a part of an equation. */
export function term(name, test, data = {}) {
  const value = h("b", { dataset: { test, ...data } });
  const node = h("span", { class: "term" }, h("small", {}, name), value);
  function show(x, state = "") {
    value.textContent = x === null ? "–" : digits(x);
    value.dataset.value = x === null ? "" : String(x === 0 ? 0 : x);
    node.className = `term ${state}`;
  }
  return { node, show };
}

/** One grid for each filter (pooling: channel) of an output or of its gradient; a click jumps there. */
export function outputs({ symbol, words, array, test, jump, symbols, wide }) {
  const grids = array.map((rows, k) =>
    grid({
      title: named(`${symbol}[${k}]`, ` ${words}`),
      rows: rows.length,
      columns: rows[0].length,
      test,
      wide,
      symbols,
      onPick: (i, j) => jump({ i, j, k }),
      at: (i, j) => ({ i, j, k }),
    }),
  );
  /** value(k, i, j) → number or null; here: {i, j, k}, k null for all of them. */
  function show(value, here) {
    grids.forEach(({ show: one }, k) =>
      one((i, j) => {
        const now = here && here.i === i && here.j === j && (here.k === null || here.k === k);
        return { value: value(k, i, j), state: now ? "now" : "" };
      }),
    );
  }
  return { node: h("div", { class: "outputs" }, grids.map(({ node }) => node)), show };
}

/** Buttons for the channel that is looked at; null where there is only one. */
export function channels({ count, names, chosen, onChoose }) {
  const buttons = Array.from({ length: count }, (_, c) => h("button", { type: "button", onclick: () => choose(c), dataset: { test: `channel-${c}` } }, names[c] ?? c));
  function press(channel) {
    buttons.forEach((button, c) => button.setAttribute("aria-pressed", String(c === channel)));
  }
  function choose(channel) {
    press(channel);
    onChoose(channel);
  }
  press(chosen);
  return { buttons, press };
}

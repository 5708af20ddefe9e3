// Inputs and outputs as pictures: one pixel of the canvas is one number.
import { h } from "../../lib/dom.js";
import { named } from "./grid.js";
import { pickable } from "./pick.js";

function picture({ title, rows, columns, test, data = {}, onPick }) {
  const canvas = h("canvas", { width: columns, height: rows, role: "img", dataset: { test, ...data } });
  const frame = h("div", { class: "frame", hidden: true });
  const box = h("div", { class: ["picture", onPick && "picks"], style: { "--rows": rows, "--columns": columns }, onclick: pick }, canvas, frame);

  let here = null;

  function pick(event) {
    if (!onPick) return;
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const at = (x, length) => Math.max(0, Math.min(length - 1, Math.floor(x * length)));
    onPick(at((event.clientY - top) / height, rows), at((event.clientX - left) / width, columns));
  }

  /** colour(row, column) → [red, green, blue], or null for nothing. */
  function paint(colour) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const found = colour(r, c);
        if (found) image.data.set([...found, 255], 4 * (r * columns + c)); // clamped to 0 … 255 by its type
      }
    context.putImageData(image, 0, 0);
  }

  function place(where) {
    here = where && [where.row, where.column];
    frame.hidden = !where;
    for (const [name, value] of Object.entries(where ?? {})) frame.style.setProperty(`--${name}`, value);
  }

  const caption = h("figcaption", {}, title);
  canvas.setAttribute("aria-label", caption.textContent);
  if (onPick) pickable(box, { rows, columns, label: () => caption.textContent, at: () => here, pick: onPick });
  return { node: h("figure", { class: "grid" }, caption, box), paint, place };
}

/** The input in colour; what was padded stays empty. */
export function colourPicture(x, { H, W, P }) {
  const title = named("x", ` ${H} × ${W} × 3${P ? `, P = ${P}` : ""}`);
  const one = picture({ title, rows: H + 2 * P, columns: W + 2 * P, test: "in-picture" });
  const inside = (r, c) => r >= P && c >= P && r < H + P && c < W + P;
  one.paint((r, c) => (inside(r, c) ? [x[0][r][c], x[1][r][c], x[2][r][c]] : null));
  return { node: one.node, show: one.place };
}

/** Each output as a grey picture that fills up. */
export function greyPictures(out, { jump, names }) {
  const all = out.map((rows, k) =>
    picture({
      title: named(`out[${k}]`, ` ${names[k]}`),
      rows: rows.length,
      columns: rows[0].length,
      test: "out-picture",
      data: { k },
      onPick: (i, j) => jump({ i, j, k }),
    }),
  );
  function show(value, here) {
    all.forEach(({ paint, place }, k) => {
      paint((i, j) => {
        const x = value(k, i, j);
        return x === null ? null : [x, x, x];
      });
      place(here && here.k === k ? { row: here.i, column: here.j, rows: 1, columns: 1 } : null);
    });
  }
  return { node: h("div", { class: "outputs" }, all.map(({ node }) => node)), show };
}

// The gradient for the input as one convolution: padded upstream gradient by the filter turned by 180 degrees.
import { fill, h } from "../../lib/dom.js";
import { t } from "../../lib/text.js";
import { digits, grid, joined, named } from "./grid.js";

export function rotated(walk) {
  const { arrays, sizes, symbols } = walk;
  const { HH, WW, H, W, H_out, W_out } = sizes;
  const pad = HH - 1; // so that the turned filter meets each number of dout with each of its own
  const [dout, w, dx] = [arrays.dout[0], arrays.w[0][0], arrays.dx[0]];
  const turn = (rows) => rows.toReversed().map((row) => row.toReversed());
  const [turnedW, turnedNames] = [turn(w), turn(symbols.w)];
  const padded = grid({ title: named("δ", ` ${t("convolution.padded_by", { pad })}`), rows: H_out + 2 * pad, columns: W_out + 2 * pad, pad, symbols: symbols.dout, test: "delta-cell", at: (i, j) => ({ i, j }) });
  const filter = grid({ title: named("w", ` ${t("convolution.turned")}`), rows: HH, columns: WW, symbols: turnedNames, test: "turned-cell", at: (r, s) => ({ r, s }) });
  const result = grid({ title: named("dx"), rows: H, columns: W, test: "full-dx-cell", onPick: show, at: (i, j) => ({ i, j }) });
  const spelled = h("p", { class: "spelled mono", "aria-live": "polite", dataset: { test: "spelled" } });
  filter.show((r, s) => ({ value: turnedW[r][s] }));

  function show(i, j) {
    const inside = (r, s) => r >= 0 && s >= 0 && r < H_out && s < W_out;
    const terms = [];
    for (let r = 0; r < HH; r++)
      for (let s = 0; s < WW; s++) {
        const [row, column] = [i + r - pad, j + s - pad];
        if (inside(row, column)) terms.push({ names: `${symbols.dout[row][column]}·${turnedNames[r][s]}`, numbers: `${bracketed(dout[row][column])}·${bracketed(turnedW[r][s])}` });
      }
    const frame = { row: i, column: j, rows: HH, columns: WW };
    const sees = (r, c) => r >= i && c >= j && r < i + HH && c < j + WW;
    padded.show((r, c) => ({ value: dout[r - pad]?.[c - pad] ?? 0, state: sees(r, c) ? "seen" : "" }), frame);
    result.show((r, c) => ({ value: dx[r][c], state: r === i && c === j ? "now" : "" }));
    fill(
      spelled,
      h("span", {}, `dx${i + 1}${j + 1} = ${terms.map(({ names }) => names).join(" + ")}`),
      h("span", {}, `= ${terms.map(({ numbers }) => numbers).join(" + ")} = `, h("b", { dataset: { test: "spelled-value", value: dx[i][j] } }, digits(dx[i][j]))),
    );
  }

  show(1, 1);
  return h(
    "section",
    { class: "turned", dataset: { test: "rotated" } },
    h("h3", {}, t("convolution.as_convolution")),
    h("p", { class: "soft how" }, t("convolution.as_convolution_how")),
    h("div", { class: "row" }, padded.node, joined("∗", filter.node), joined("=", result.node)),
    spelled,
  );
}

function bracketed(x) {
  return x < 0 ? `(${digits(x)})` : digits(x);
}

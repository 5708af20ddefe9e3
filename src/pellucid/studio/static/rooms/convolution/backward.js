// Backward: each upstream number hands the filter to dx, where the window was, and the window to dw.
import { h } from "../../lib/dom.js";
import { t } from "../../lib/text.js";
import { titleOf } from "./forward.js";
import { channels, digits, grid, isWide, joined, named, neverSeen, outputs, sceneClass, sign, slices, term, windowOf } from "./grid.js";
import { rotated } from "./rotated.js";

export function backward({ walk, jump, channel, onChannel }) {
  const { arrays, sizes, symbols, source, work } = walk;
  const { C, HH, WW, H, W, P, D } = sizes;
  const toWeights = source.find(({ number, text }) => work.includes(number) && text.trim().startsWith("dw")).number;
  const padded = { rows: H + 2 * P, columns: W + 2 * P, pad: P, unseen: neverSeen(sizes) };
  const small = { rows: HH, columns: WW, at: (r, s) => ({ r, s }) };
  const dout = outputs({ symbol: "dout", words: "", array: arrays.dout, test: "dout-cell", jump, symbols: symbols.dout });
  const x = grid({ ...padded, test: "x-cell", at: (i, j) => ({ i, j }) });
  const w = grid({ ...small, test: "w-cell", symbols: symbols.w });
  const forWeights = grid({ ...small, test: "product", at: (r, s) => ({ r, s, of: "dw" }) });
  const forInput = grid({ ...small, test: "product", at: (r, s) => ({ r, s, of: "dx" }) });
  const dw = grid({ ...small, test: "dw-cell", wide: isWide(arrays.dw) });
  const dx = grid({ ...padded, test: "dx-cell", wide: isWide(arrays.dx), at: (i, j) => ({ i, j }) });
  const delta = term("δ", "delta");
  const name = h("span", { class: "mono delta-name" });
  const [intoWeights, intoInput] = ["dw", "dx"].map((of) => h("p", { class: "mono soft how", translate: "no", dataset: { test: "slices", of } }));
  const bias = biases(walk);
  const turned = symbols.dout && rotated(walk);
  let now = null;
  const choice = channels({
    count: C,
    names: [],
    chosen: channel,
    onChoose(next) {
      channel = next;
      onChannel(next);
      show(now);
    },
  });

  function show(state) {
    now = state;
    const { stop, k, step, works, isDone } = state;
    const window = windowOf(sizes, stop);
    const d = stop ? arrays.dout[k][stop.i][stop.j] : null;
    const adds = { dw: works && step.line === toWeights, dx: works && step.line !== toWeights };
    const finished = stop && isDone({ ...stop, k });
    const dim = { dw: finished ? "" : "ahead", dx: finished && !adds.dw ? "" : "ahead" };
    const at = (r, s) => [window.frame.row + r * D, window.frame.column + s * D];
    dout.show((kk, i, j) => arrays.dout[kk][i][j], stop && { i: stop.i, j: stop.j, k });
    name.textContent = stop ? `dout[${k}, ${stop.i}, ${stop.j}]` : "dout[k, i, j]";
    delta.show(d, "result");
    const part = (of) => (stop ? `${P ? `${of}_pad` : of}[:, ${slices(sizes, stop)}]` : `${of}_window`);
    const filter = stop ? k : "k";
    intoWeights.textContent = `dw[${filter}] += ${part("x")} * ${name.textContent}`;
    intoInput.textContent = `${part("dx")} += w[${filter}] * ${name.textContent}`;
    bias.show(step.line);
    x.title(...titleOf(sizes, channel));
    x.show((r, c) => ({ value: arrays.x_pad[channel][r][c], state: window.sees(r, c) ? "seen" : "" }), window.frame);
    forWeights.title(named("x_window · δ"));
    forWeights.show((r, s) => ({ value: stop ? arrays.x_pad[channel][at(r, s)[0]][at(r, s)[1]] * d : null, state: dim.dw }));
    dw.title(named(`dw[${k}, ${channel}]`));
    dw.show((r, s) => ({ value: state.dw[k][channel][r][s], state: adds.dw ? "now" : "" }));
    w.title(named(`w[${k}, ${channel}]`));
    w.show((r, s) => ({ value: arrays.w[k][channel][r][s] }));
    forInput.title(named("w · δ"));
    forInput.show((r, s) => ({ value: stop ? arrays.w[k][channel][r][s] * d : null, state: dim.dx }));
    dx.title(named(P ? "dx_pad" : "dx", C > 1 ? ` ${t("convolution.of_channel", { channel })}` : ""));
    dx.show((r, c) => ({ value: state.dxPad[channel][r][c], state: window.sees(r, c) ? (adds.dx ? "now" : "seen") : "" }), window.frame);
  }

  const node = h(
    "div",
    { class: sceneClass(sizes) },
    C > 1 && h("div", { class: "channels" }, h("span", { class: "soft" }, t("convolution.channel")), h("div", { class: "choice" }, choice.buttons)),
    h("div", { class: "row" }, dout.node, h("div", { class: "equation" }, name, sign("="), delta.node)),
    h("h3", {}, t("convolution.to_weights")),
    intoWeights,
    h("div", { class: "row" }, x.node, joined("·δ", forWeights.node), joined("→", dw.node)),
    h("h3", {}, t("convolution.to_input")),
    intoInput,
    h("div", { class: "row" }, w.node, joined("·δ", forInput.node), joined("→", dx.node)),
    P > 0 && h("p", { class: "soft how" }, t("convolution.padding_is_cut")),
    bias.nodes,
    turned,
  );
  return { node, show };
}

const MOST_TERMS = 16; // that are spelled out

/** db, made at once after all windows: each filter's upstream numbers, summed. */
function biases({ arrays, source }) {
  const made = source.find(({ text }) => text.trim().startsWith("db =")).number;
  const lines = arrays.db.map((_, k) => {
    const terms = arrays.dout[k].flat();
    const sum = terms.length > MOST_TERMS ? "Σ δ" : terms.map((x) => (x < 0 ? `(${digits(x)})` : digits(x))).join(" + ");
    return { value: term(`db[${k}]`, "db", { k }), sum };
  });

  function show(line) {
    const state = line > made ? "" : line === made ? "result" : "ahead";
    lines.forEach(({ value }, k) => value.show(arrays.db[k], state));
  }

  const rows = lines.map(({ value, sum }) => h("div", { class: "equation" }, h("span", { class: "mono" }, sum), sign("="), value.node));
  return { show, nodes: [h("h3", {}, t("convolution.to_bias")), h("div", { class: "row" }, rows)] };
}

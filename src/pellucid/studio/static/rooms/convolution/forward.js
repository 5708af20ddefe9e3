// Forward: window times filter, number by number; their sum, the bias, the output.
import { fill, h } from "../../lib/dom.js";
import { t } from "../../lib/text.js";
import { channels, digits, grid, isWide, joined, named, neverSeen, outputs, sceneClass, sign, slices, term, windowOf } from "./grid.js";
import { colourPicture, greyPictures } from "./picture.js";
import { eachTap } from "./replay.js";

export function forward({ walk, example, jump, channel, onChannel }) {
  const { arrays, sizes } = walk;
  const { C, HH, WW, H, W, P } = sizes;
  const pictures = example === "photograph";
  const names = pictures ? ["red", "green", "blue"].map((name) => t(`convolution.channel_${name}`)) : [];
  const wide = isWide(arrays.x, arrays.w);
  const padded = { rows: H + 2 * P, columns: W + 2 * P, pad: P, unseen: neverSeen(sizes) };
  const input = pictures ? colourPicture(arrays.x_pad, sizes) : grid({ ...padded, wide: isWide(arrays.x), test: "x-cell", at: (i, j) => ({ i, j }) });
  const small = { rows: HH, columns: WW, wide };
  const seen = pictures && grid({ ...small, test: "window-cell" });
  const filter = grid({ ...small, test: "w-cell", at: (r, s) => ({ r, s }) });
  const products = grid({ ...small, test: "product", at: (r, s) => ({ r, s }) });
  const outWide = isWide(arrays.out);
  const out = pictures ? greyPictures(arrays.out, { jump, names: ["grey", "edges"].map((name) => t(`convolution.out_${name}`)) }) : outputs({ symbol: "out", words: "", array: arrays.out, test: "out-cell", jump, wide: outWide });
  const [sum, bias, value] = [term(t("convolution.sum"), "sum"), term(t("convolution.bias"), "bias"), term(t("convolution.out_value"), "out-value")];
  const parts = h("p", { class: "parts mono", dataset: { test: "channel-sums" } });
  const spelled = h("p", { class: "spelled mono", translate: "no", dataset: { test: "slices" } });
  let now = null;
  const choice = channels({
    count: C,
    names,
    chosen: channel,
    onChoose(next) {
      channel = next;
      onChannel(next);
      show(now);
    },
  });

  function show(state) {
    now = state;
    const { stop, k, isDone, works } = state;
    const window = windowOf(sizes, stop);
    const dim = stop && !works && !isDone({ ...stop }) ? "ahead" : "";
    const x = (r, s) => arrays.x_pad[channel][window.frame.row + r * sizes.D][window.frame.column + s * sizes.D];
    const w = arrays.w[k];
    if (pictures) {
      input.show(window.frame);
      seen.title(named("x_window", ` · ${names[channel]}`));
      seen.show((r, s) => ({ value: stop ? x(r, s) : null }));
    } else {
      input.title(...titleOf(sizes, channel));
      input.show((r, c) => ({ value: arrays.x_pad[channel][r][c], state: window.sees(r, c) ? "seen" : "" }), window.frame);
    }
    filter.title(named(`w[${k}, ${channel}]`));
    filter.show((r, s) => ({ value: w[channel][r][s] }));
    products.title(named("x · w"));
    products.show((r, s) => ({ value: stop ? x(r, s) * w[channel][r][s] : null, state: dim }));
    spelled.textContent = stop
      ? `out[${k}, ${stop.i}, ${stop.j}] = np.sum(${P ? "x_pad" : "x"}[:, ${slices(sizes, stop)}] * w[${k}]) + b[${k}]`
      : "out[k, i, j] = np.sum(x_window * w[k]) + b[k]";
    showSum(stop, k, dim);
    const here = stop && { i: stop.i, j: stop.j, k };
    out.show((kk, i, j) => (isDone({ i, j, k: kk }) ? arrays.out[kk][i][j] : null), here);
  }

  function showSum(stop, k, dim) {
    const sums = Array(C).fill(0);
    if (stop) eachTap(sizes, stop, (c, r, s, row, column) => (sums[c] += arrays.x_pad[c][row][column] * arrays.w[k][c][r][s]));
    const total = sums.reduce((a, b) => a + b, 0);
    sum.show(stop ? total : null, dim);
    bias.show(arrays.b[k]);
    value.show(stop ? arrays.out[k][stop.i][stop.j] : null, `result ${dim}`);
    fill(parts, stop && C > 1 ? sums.map((x, c) => [c > 0 && " + ", h("span", { class: c === channel ? "chosen" : "", dataset: { test: "channel-sum", c, value: x } }, x < 0 ? `(${digits(x)})` : digits(x))]) : null);
  }

  const equation = h("div", { class: "equation", dataset: { test: "equation" } }, sum.node, sign("+"), bias.node, sign("="), value.node);
  const node = h(
    "div",
    { class: sceneClass(sizes) },
    C > 1 && h("div", { class: "channels" }, h("span", { class: "soft" }, t("convolution.channel")), h("div", { class: "choice" }, choice.buttons)),
    pictures
      ? [h("div", { class: "row" }, input.node, out.node), h("div", { class: "row" }, seen.node, joined("×", filter.node), joined("=", products.node))]
      : h("div", { class: "row" }, input.node, h("div", { class: "stack-of-two" }, filter.node, products.node)),
    h("div", { class: "sums" }, spelled, C > 1 && h("p", { class: "soft" }, t("convolution.over_channels"), " ", parts), equation),
    !pictures && out.node,
    h("p", { class: "soft how" }, t("convolution.bias_at_the_end", { line: walk.source.find(({ text }) => text.includes("out += b")).number })),
  );
  return { node, show };
}

/** What the grid of the input is called. */
export function titleOf({ C, H, W, P }, channel) {
  const words = C > 1 ? `${t("convolution.of_channel", { channel })} ·` : "";
  const size = P ? `${H} + 2 · ${P} × ${W} + 2 · ${P}` : `${H} × ${W}`;
  return [named(P ? "x_pad" : "x", ` ${words} ${size}`)];
}

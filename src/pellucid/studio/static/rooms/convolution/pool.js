// Pooling: the largest number of each window, and the way back of its gradient.
import { h } from "../../lib/dom.js";
import { t } from "../../lib/text.js";
import { titleOf } from "./forward.js";
import { channels, grid, joined, named, neverSeen, outputs, sceneClass, sign, slices, term, windowOf } from "./grid.js";

export function poolForward({ walk, jump, channel, onChannel }) {
  const { arrays, sizes } = walk;
  const scene = parts({ walk, channel, onChannel: choose });
  const out = outputs({ symbol: "out", words: "", array: arrays.out, test: "out-cell", jump: to });
  const value = term(t("convolution.out_value"), "out-value");
  const spelled = h("p", { class: "spelled mono", translate: "no", dataset: { test: "slices" } });

  function choose(next) {
    channel = next;
    onChannel(next);
  }

  function to(place) {
    if (place.k !== channel) scene.press(place.k);
    choose(place.k);
    jump(place);
  }

  function show(state) {
    const { stop, isDone } = state;
    scene.show(stop, channel);
    spelled.textContent = stop
      ? `out[${channel}, ${stop.i}, ${stop.j}] = np.max(x[${channel}, ${slices(sizes, stop)}])`
      : "out[c, i, j] = np.max(x_window)";
    value.show(stop ? arrays.out[channel][stop.i][stop.j] : null, `result ${isDone({ ...stop }) ? "" : "ahead"}`);
    out.show((k, i, j) => (isDone({ i, j, k }) ? arrays.out[k][i][j] : null), stop && { i: stop.i, j: stop.j, k: null });
  }

  const node = h(
    "div",
    { class: sceneClass(sizes) },
    sizes.C > 1 && scene.choice,
    h("div", { class: "row" }, scene.x.node, joined("→", scene.window.node), joined("max =", value.node)),
    spelled,
    out.node,
  );
  return { node, show };
}

export function poolBackward({ walk, jump }) {
  const { arrays, sizes } = walk;
  const { H, W, S } = sizes;
  const scene = parts({ walk, channel: 0, onChannel: (channel) => jump({ i: 0, j: 0, k: channel }) });
  const dout = outputs({ symbol: "dout", words: "", array: arrays.dout, test: "dout-cell", jump });
  const dx = grid({ rows: H, columns: W, unseen: neverSeen(sizes), test: "dx-cell", at: (i, j) => ({ i, j }) });
  const value = term(t("convolution.upstream"), "delta");
  const goes = h("span", { class: "mono soft" });

  function show({ stop, c, works, dxPad }) {
    scene.press(c);
    const best = scene.show(stop, c);
    const window = windowOf(sizes, stop);
    dout.show((k, i, j) => arrays.dout[k][i][j], stop && { i: stop.i, j: stop.j, k: c });
    value.show(stop ? arrays.dout[c][stop.i][stop.j] : null, "result");
    const target = stop && { row: stop.i * S + best.r, column: stop.j * S + best.s };
    goes.textContent = stop ? `dx[${c}, ${target.row}, ${target.column}]` : "dx[c, …]";
    dx.title(named("dx", sizes.C > 1 ? ` ${t("convolution.of_channel", { channel: c })}` : ""));
    dx.show((r, s) => {
      const state = works && r === target.row && s === target.column ? "now" : window.sees(r, s) ? "seen" : "";
      return { value: dxPad[c][r][s], state };
    }, window.frame);
  }

  const node = h(
    "div",
    { class: sceneClass(sizes) },
    sizes.C > 1 && scene.choice,
    h("div", { class: "row" }, scene.x.node, joined("→", scene.window.node)),
    h("div", { class: "row" }, dout.node, h("div", { class: "equation" }, value.node, sign("→"), goes), dx.node),
  );
  return { node, show };
}

/** What both ways share: the input with its window, and the window's numbers with the largest of them lit. */
function parts({ walk, channel, onChannel }) {
  const { arrays, sizes } = walk;
  const { C, H, W, HH, WW, D } = sizes;
  const x = grid({ rows: H, columns: W, unseen: neverSeen(sizes), test: "x-cell", at: (i, j) => ({ i, j }) });
  const window = grid({ title: named("x_window"), rows: HH, columns: WW, test: "window-cell", at: (r, s) => ({ r, s }) });
  const { buttons, press } = channels({ count: C, names: [], chosen: channel, onChoose: onChannel });

  function show(stop, c) {
    const { frame, tap } = windowOf(sizes, stop);
    const value = (r, s) => arrays.x[c][frame.row + r * D][frame.column + s * D];
    let best = null; // the first of the largest, in the order in which they are read
    for (let r = 0; stop && r < HH; r++) for (let s = 0; s < WW; s++) if (!best || value(r, s) > value(best.r, best.s)) best = { r, s };
    const isBest = (r, s) => best && r === best.r && s === best.s;
    x.title(...titleOf(sizes, c));
    x.show((r, s) => {
      const at = tap(r, s);
      return { value: arrays.x[c][r][s], state: at ? (isBest(...at) ? "now" : "seen") : "" };
    }, frame);
    window.show((r, s) => ({ value: stop ? value(r, s) : null, state: isBest(r, s) ? "now maximum" : "" }));
    return best;
  }

  const choice = h("div", { class: "channels" }, h("span", { class: "soft" }, t("convolution.channel")), h("div", { class: "choice" }, buttons));
  return { x, window, show, choice, press };
}

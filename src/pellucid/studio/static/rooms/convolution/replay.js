// Steps become numbers: what stands in the results after each line, and where the window then is.

/**
 * replay(walk) → {steps, stops, to, find}
 *   stops     the steps after which one window is done with one filter (pooling: one channel)
 *   to(at)    {at, step, stop, k, c, works, isDone, dw, dxPad} once that step has run
 *   find({i, j, k})   the stop where an output value is made, or null
 */
export function replay(walk) {
  const { steps, arrays, operation } = walk;
  const works = new Set(walk.work);
  const texts = new Map(walk.source.map(({ number, text }) => [number, text]));
  const isWork = steps.map(({ line }) => works.has(line));
  const places = placesOf(walk, texts);
  const stops = stopsOf(steps, isWork);
  const loops = operation === "max_pool_backward" ? "c" : "k";
  let position = -1;
  let state = null;

  function restart() {
    position = -1;
    state = { done: new Set(), dw: arrays.dw && like(arrays.dw), dxPad: arrays.dx && like(arrays.x_pad) };
  }

  function run(step) {
    const place = { i: step.i, j: step.j, k: step[loops] ?? null };
    state.done.add(key(place));
    if (operation === "max_pool_backward") {
      const { S } = walk.sizes;
      state.dxPad[step.c][step.i * S + step.r][step.j * S + step.s] += arrays.dout[step.c][step.i][step.j];
    }
    if (operation !== "conv_backward") return;
    const delta = arrays.dout[step.k][step.i][step.j];
    const toWeights = texts.get(step.line).trim().startsWith("dw");
    eachTap(walk.sizes, step, (c, r, s, row, column) => {
      if (toWeights) state.dw[step.k][c][r][s] += arrays.x_pad[c][row][column] * delta;
      else state.dxPad[c][row][column] += arrays.w[step.k][c][r][s] * delta;
    });
  }

  function to(at) {
    if (at < position || !state) restart();
    for (; position < at; ) {
      position += 1;
      if (isWork[position]) run(steps[position]);
    }
    const stop = places[at];
    const isDone = ({ i, j, k }) => state.done.has(key({ i, j, k: operation === "max_pool_forward" ? null : k }));
    return { at, step: steps[at], stop: stop.i === null ? null : stop, k: stop.k, c: stop.c, works: isWork[at], isDone, dw: state.dw, dxPad: state.dxPad };
  }

  function find({ i, j, k }) {
    const found = stops.find((at) => steps[at].i === i && steps[at].j === j && [undefined, k].includes(steps[at][loops]));
    return found ?? null;
  }

  return { steps, stops, to, find };
}

/** Zeros, as many and in such lists as there. */
function like(array) {
  return Array.isArray(array) ? array.map(like) : 0;
}

function key({ i, j, k }) {
  return `${i},${j},${k}`;
}

/** Calls each(c, r, s, row, column) for all that one window sees of the padded input. */
export function eachTap({ C, HH, WW, S, D }, { i, j }, each) {
  for (let c = 0; c < C; c++)
    for (let r = 0; r < HH; r++) for (let s = 0; s < WW; s++) each(c, r, s, i * S + r * D, j * S + s * D);
}

function stopsOf(steps, isWork) {
  const all = steps.map((_, at) => at).filter((at) => isWork[at]);
  const same = (a, b) => ["c", "i", "j", "k"].every((name) => steps[a][name] === steps[b]?.[name]);
  return all.filter((at, place) => place === all.length - 1 || !same(at, all[place + 1]));
}

/** Where the window is at each step. A loop's own line still has the variables of its last round: they do not count. */
function placesOf({ steps, source }, texts) {
  const indent = (line) => texts.get(line).match(/^ */)[0].length;
  const header = (name) => source.find(({ text }) => text.trim().startsWith(`for ${name} in`))?.number;
  const first = source.find(({ text }) => text.trim().startsWith("for "));
  const [headJ, headK] = ["j", "k"].map(header);
  const enters = (head, at) => at > 0 && steps[at - 1].line === head && indent(steps[at].line) > indent(head);
  let here = { i: null, j: null, k: 0, c: 0 };
  return steps.map((step, at) => {
    const outside = indent(step.line) <= indent(first.number) && step.line !== first.number;
    if (outside) here = { ...here, i: null, j: null };
    else if (enters(headJ, at)) here = { i: step.i, j: step.j, k: 0, c: step.c ?? 0 };
    else if (headK && enters(headK, at)) here = { ...here, k: step.k };
    return here;
  });
}

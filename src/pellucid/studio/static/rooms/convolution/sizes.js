// Sizes, as the server reckons them: said at once, while one types.
import { number, t } from "../../lib/text.js";

export const OPERATIONS = ["conv_forward", "conv_backward", "max_pool_forward", "max_pool_backward"];

/** What can be typed. `conv`: pooling has none of it. */
export const FIELDS = [
  { name: "height", symbol: "H", least: 1, most: 32 },
  { name: "width", symbol: "W", least: 1, most: 32 },
  { name: "channels", symbol: "C", least: 1, most: 8 },
  { name: "filters", symbol: "K", least: 1, most: 8, conv: true },
  { name: "size", symbol: "F", least: 1, most: 11 },
  { name: "stride", symbol: "S", least: 1, most: 16 },
  { name: "pad", symbol: "P", least: 0, most: 8, conv: true },
  { name: "dilation", symbol: "D", least: 1, most: 8, conv: true },
];

const MOST_STEPS = 8000;
const LINES_OUTSIDE = 20; // of the loops
const LINES = { conv_forward: [3, 3], conv_backward: [9, 5], max_pool_forward: [3, 0], max_pool_backward: [4, 0] }; // at each stop, and for each filter

export function isConvolution(operation) {
  return operation.startsWith("conv");
}

export function fieldsOf(operation) {
  return FIELDS.filter(({ conv }) => !conv || isConvolution(operation));
}

/** {height: …} of an example's {H: …}. */
export function asFields({ H, W, C, K, HH, S, P, D }) {
  return { height: H, width: W, channels: C, filters: K, size: HH, stride: S, pad: P, dilation: D };
}

/** One way through the input: so many numbers, windows of so many. */
function along(length, { F, S, P, D }) {
  const span = (F - 1) * D + 1;
  const free = length - span + 2 * P;
  const out = Math.floor(free / S) + 1;
  const seen = new Set();
  for (let i = 0; i < out; i++) for (let r = 0; r < F; r++) seen.add(i * S + r * D);
  const unseen = Array.from({ length: length + 2 * P }, (_, at) => at).filter((at) => !seen.has(at));
  return { length, span, free, out, unseen, isWhole: free % S === 0 };
}

/** As the server counts them. */
function stepsOf(operation, { C, K, high, wide }) {
  const [lines, forAFilter] = LINES[operation];
  const looped = 2 * (high.out + 1) + high.out * wide.out * (lines + forAFilter * K);
  return LINES_OUTSIDE + looped * (operation === "max_pool_backward" ? C : 1);
}

/** "1, 4–6" of [1, 4, 5, 6]. */
export function ranges(numbers) {
  const runs = [];
  for (const x of numbers) {
    const run = runs.at(-1);
    if (run?.last === x - 1) run.last = x;
    else runs.push({ first: x, last: x });
  }
  return runs.map(({ first, last }) => (first === last ? first : `${first}–${last}`)).join(", ") || "–";
}

/** {problem} as a sentence, or what comes of the sizes: {high, wide, multiplyAdds, …}. */
export function sizesOf(operation, given) {
  for (const { name, symbol, least, most } of fieldsOf(operation)) {
    const names = { name: t(`convolution.field_${name}`), symbol, least, most };
    if (!Number.isInteger(given[name])) return { problem: t("convolution.problem_whole", names) };
    if (given[name] < least) return { problem: t("convolution.problem_least", names) };
    if (given[name] > most) return { problem: t("convolution.problem_most", names) };
  }
  const conv = isConvolution(operation);
  const { channels: C, filters, size: F, stride: S } = given;
  const [K, P, D] = conv ? [filters, given.pad, given.dilation] : [C, 0, 1];
  const how = { F, S, P, D };
  const high = along(given.height, how);
  const wide = along(given.width, how);
  for (const { length, span, free } of [high, wide])
    if (free < 0) return { problem: t("convolution.problem_fit", { span, length: length + 2 * P }) };
  const steps = stepsOf(operation, { C, K, high, wide });
  if (steps > MOST_STEPS) return { problem: t("convolution.problem_steps", { steps: number(steps), most: number(MOST_STEPS) }) };
  return { ...how, C, K, conv, high, wide, multiplyAdds: conv ? high.out * wide.out * K * F * F * C : 0 };
}

/** "(11 − 5 + 2 · 0) / 2 + 1 = 4" */
export function formula({ length, span, out, isWhole }, { P, S }) {
  const whole = `(${length} − ${span} + 2 · ${P}) / ${S}`;
  return `${isWhole ? whole : `⌊${whole}⌋`} + 1 = ${out}`;
}

// A layer's numbers as bars: with names and values where there are few, else as a skyline.
import { h, svg } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";

const FEW = 24;

export function vector({ name, shape, values }, classes) {
  const most = Math.max(Number.MIN_VALUE, ...values.map(Math.abs));
  const names = values.length === classes.length ? classes : values.map((_, index) => index);
  const rest = shape.reduce((a, b) => a * b, 1) - values.length;
  return [
    values.length <= FEW ? list(values, names, most) : skyline(name, values, names, most),
    rest > 0 && h("p", { class: "soft rest" }, t("image.not_shown", { count: number(rest) })),
  ];
}

function list(values, names, most) {
  const signed = values.some((value) => value < 0);
  const largest = Math.max(...values);
  const rows = values.map((value, at) =>
    h(
      "li",
      { class: value === largest && "largest", dataset: { test: "value", label: names[at], value } },
      h("span", { class: "name" }, names[at]),
      h("span", { class: ["track", signed && "signed"] }, h("span", { class: ["filled", value < 0 && "below"], style: { "--size": Math.abs(value) / most } })),
      h("span", { class: "value" }, number(value)),
    ),
  );
  return h("ol", { class: "scores" }, rows);
}

function skyline(name, values, names, most) {
  const [low, high] = [Math.min(0, ...values) / most, Math.max(0, ...values) / most];
  const bars = values.map((value, at) => {
    const size = Math.abs(value) / most;
    const place = { x: at + 0.1, width: 0.8, y: value < 0 ? 0 : -size, height: size };
    return svg("rect", { ...place, class: value < 0 ? "below" : "above" }, svg("title", {}, `${names[at]}: ${number(value)}`));
  });
  const about = { role: "img", "aria-label": t("image.vector", { layer: name, count: values.length }) };
  return svg(
    "svg",
    { class: "skyline", viewBox: `0 ${-high} ${values.length} ${high - low || 1}`, preserveAspectRatio: "none", ...about },
    bars,
    svg("line", { x1: 0, x2: values.length, y1: 0, y2: 0, class: "axis" }),
  );
}

// The page's own small drawings, in the colour of the text around them.
import { svg } from "./dom.js";

const line = (d) => svg("path", { d });
const box = (x, y, size) => svg("rect", { x, y, width: size, height: size, rx: 1.5 });

const DRAWINGS = {
  runs: () => [line("M3 4v16h18"), line("M6 8c2 7 5 8.5 15 9.5")],
  filters: () => [box(3, 3, 7.5), box(13.5, 3, 7.5), box(3, 13.5, 7.5), box(13.5, 13.5, 7.5), line("M3 10.5 10.5 3M13.5 6.750h7.500M17.25 13.500v7.5")],
  image: () => [svg("rect", { x: 3, y: 4, width: 18, height: 16, rx: 2 }), line("m3 17 5.5-6 4.5 5 3-3 5 5"), svg("circle", { cx: 16, cy: 8.5, r: 1.6 })],
  convolution: () => [box(3, 3, 18), line("M3 9h18M3 15h18M9 3v18M15 3v18"), svg("rect", { x: 3, y: 3, width: 12, height: 12, class: "filled" })],
  mistakes: () => [box(3, 3, 18), line("M3 3l18 18"), svg("circle", { cx: 16.5, cy: 7.5, r: 2.2, class: "filled" })],
  sun: () => [svg("circle", { cx: 12, cy: 12, r: 4 }), line("M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2")],
  moon: () => [line("M20 14.500A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.500z")],
  close: () => [line("M5 5l14 14M19 5 5 19")],
  plus: () => [line("M12 4v16M4 12h16")],
  stop: () => [svg("rect", { x: 6, y: 6, width: 12, height: 12, rx: 1.5, class: "filled" })],
  play: () => [svg("path", { d: "M7 4.500v15l13-7.500z", class: "filled" })],
};

/** A drawing 1.25 em wide. It says nothing to screen readers: the words do. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" }, ...DRAWINGS[name]());
}

/** The mark of the house: layers that one can see through. */
export function mark() {
  const layer = (at, name) => svg("rect", { x: at, y: at, width: 18, height: 18, rx: 4, class: name });
  return svg(
    "svg",
    { viewBox: "0 0 32 32", class: "mark", "aria-hidden": "true", focusable: "false" },
    layer(2, "back"),
    layer(7, "middle"),
    layer(12, "front"),
    svg("circle", { cx: 21, cy: 21, r: 4 }),
  );
}

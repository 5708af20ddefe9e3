// The naive function's own lines, the one that runs lit, and what its loops' variables are.
import { h } from "../../lib/dom.js";
import { t } from "../../lib/text.js";

const VARIABLES = ["n", "c", "i", "j", "k", "r", "s"];

export function code(walk) {
  const lines = new Map(walk.source.map(({ number, text }) => [number, lineOf(number, text, walk.work)]));
  const used = VARIABLES.filter((name) => walk.steps.some((step) => name in step));
  const values = new Map(used.map((name) => [name, h("b", { dataset: { test: `variable-${name}` } })]));
  const list = h("div", { class: "lines mono", translate: "no", tabindex: 0, role: "group", "aria-label": walk.function }, [...lines.values()]);
  let lit = null;

  function show({ step }) {
    const next = lines.get(step.line);
    if (lit !== next) {
      lit?.classList.remove("lit");
      lit?.removeAttribute("data-test");
      lit?.removeAttribute("aria-current");
      next.classList.add("lit");
      next.dataset.test = "lit";
      next.setAttribute("aria-current", "step");
      lit = next;
      keepInSight(list, next);
    }
    for (const [name, node] of values) {
      const value = step[name] ?? "–";
      if (node.textContent !== String(value)) node.textContent = value;
      node.dataset.value = step[name] ?? "";
    }
  }

  const variables = h("p", { class: "variables mono", "aria-label": t("convolution.variables") }, used.map((name) => h("span", {}, `${name} = `, values.get(name))));
  const node = h(
    "section",
    { class: "card code" },
    h("h2", { class: "mono", translate: "no" }, walk.function),
    variables,
    list,
  );
  return { node, show };
}

function lineOf(number, text, work) {
  const trimmed = text.trim();
  const [, before, comment] = trimmed.match(/^(.*?)(\s*#.*)?$/);
  return h(
    "div",
    { class: ["line", work.includes(number) && "work"], style: { "--indent": text.length - text.trimStart().length }, dataset: { line: number } },
    h("span", { class: "at", "aria-hidden": "true" }, number),
    h("span", { class: "text" }, before || "\u00a0", comment && h("span", { class: "soft" }, comment)),
  );
}

/** Only within the list: the page itself stays where it is. */
function keepInSight(list, line) {
  const [outer, inner] = [list.getBoundingClientRect(), line.getBoundingClientRect()];
  if (inner.top < outer.top) list.scrollTop -= outer.top - inner.top + 40;
  else if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom + 40;
}

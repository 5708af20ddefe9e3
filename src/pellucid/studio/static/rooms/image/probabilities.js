// What the network says the image shows: the most probable classes as bars.
import { fill, h } from "../../lib/dom.js";
import { percent, t } from "../../lib/text.js";

const FIRST = 5;

export function probabilities({ probabilities: all, label, target }, { source, speakFor }) {
  const [best] = all;
  const list = h("ol", { class: "bars" });
  const more = h("button", { type: "button", class: "small more", dataset: { test: "all" }, onclick: () => (show(all.length), list.children[FIRST].firstChild.focus()) }, t("image.all", { count: all.length }));
  let chosen = target;

  function show(count) {
    fill(list, all.slice(0, count).map((each) => bar(each, label, speakFor)));
    more.hidden = count >= all.length;
    mark(chosen);
  }

  /** The class whose reasons are shown. */
  function mark(name) {
    chosen = name;
    for (const item of list.children) item.firstChild.setAttribute("aria-pressed", item.dataset.label === name);
  }

  show(FIRST);
  const right = best.label === label;
  const verdict = label !== null && h("span", { class: ["badge", right ? "good" : "bad"], dataset: { test: "verdict" } }, right ? t("image.right") : t("image.wrong", { label }));
  const node = h(
    "section",
    { class: "card probabilities", dataset: { test: "prediction", label: best.label, of: source.index ?? "file" } },
    h("p", { class: "soft name" }, source.file ? source.file.name || t("image.pasted") : t("image.test_image", { index: source.index })),
    h("h2", {}, h("span", { class: "label" }, best.label), " ", verdict),
    list,
    h("p", { class: "soft how" }, t("image.press")),
    more,
  );
  return { node, mark };
}

function bar({ label, probability }, truth, speakFor) {
  const isTrue = label === truth;
  return h(
    "li",
    { dataset: { test: "probability", label, value: probability } },
    h(
      "button",
      { type: "button", class: "row", title: t("image.why_it", { label }), onclick: () => speakFor(label) },
      h("span", { class: "name" }, label, isTrue && h("span", { class: "truth", title: t("image.truth") }, " ✓", h("span", { class: "hidden-text" }, t("image.truth")))),
      h("span", { class: "track" }, h("span", { class: "filled", style: { width: `${100 * probability}%` } })),
      h("span", { class: "value" }, percent(probability)),
    ),
  );
}

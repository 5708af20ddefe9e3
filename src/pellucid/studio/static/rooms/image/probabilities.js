// What the network says the image shows: the most probable classes as bars.
import { fill, h } from "../../lib/dom.js";
import { percent, t } from "../../lib/text.js";

const FIRST = 5;

export function probabilities({ probabilities: all, label }, source) {
  const list = h("ol", { class: "bars" });
  const more = h("button", { type: "button", class: "small more", dataset: { test: "all" }, onclick: () => show(all.length) }, t("image.all", { count: all.length }));

  function show(count) {
    fill(list, all.slice(0, count).map((each) => bar(each, label)));
    more.hidden = count >= all.length;
  }

  show(FIRST);
  const [best] = all;
  const isRight = best.label === label;
  return h(
    "section",
    { class: "card probabilities", dataset: { test: "prediction", label: best.label, of: source.index ?? "file" } },
    h("h2", {}, t("image.says", { label: best.label })),
    label !== null && h("p", { class: ["badge", isRight ? "good" : "bad"] }, isRight ? t("image.right") : t("image.wrong", { label })),
    source.file && h("p", { class: "soft name" }, source.file.name),
    list,
    more,
  );
}

function bar({ label, probability }, truth) {
  return h(
    "li",
    { class: label === truth && "truth", dataset: { test: "probability", label, value: probability } },
    h("span", { class: "name" }, label, label === truth && h("span", { class: "soft" }, ` ${t("image.truth")}`)),
    h("span", { class: "track" }, h("span", { class: "filled", style: { width: `${100 * probability}%` } })),
    h("span", { class: "value" }, percent(probability)),
  );
}

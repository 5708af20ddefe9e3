// The image as the network reads it, and over it what speaks for a class.
import { h } from "../../lib/dom.js";
import { remember, remembered } from "../../lib/memory.js";
import { t } from "../../lib/text.js";

const OVERLAYS = ["none", "saliency", "grad_cam"];
const USUAL_OPACITY = "0.75";

export function attention(result, classes, again) {
  const there = OVERLAYS.filter((name) => name === "none" || result[name]);
  const kept = remembered("overlay");
  let chosen = there.includes(kept) ? kept : "none";
  const heat = h("img", { class: "heat", alt: "", dataset: { test: "heat" } });
  const how = h("p", { class: "soft how" });
  const opacity = h("input", {
    type: "range", min: 0, max: 1, step: 0.05, value: remembered("opacity") ?? USUAL_OPACITY, "aria-label": t("image.opacity"),
    dataset: { test: "opacity" },
    oninput: () => {
      remember("opacity", opacity.value);
      show();
    },
  });

  function show() {
    heat.hidden = opacity.hidden = chosen === "none";
    if (chosen !== "none") heat.src = result[chosen];
    heat.style.opacity = opacity.value;
    how.textContent = t(`image.how_${chosen}`, { target: result.target, layer: result.grad_cam_layer ?? "" });
  }

  const options = there.map((name) => {
    const choose = () => {
      chosen = name;
      remember("overlay", name);
      show();
    };
    const input = h("input", { type: "radio", name: "overlay", value: name, checked: name === chosen, onchange: choose });
    return h("label", { dataset: { test: `overlay-${name}` } }, input, t(`image.overlay_${name}`));
  });
  const why = h(
    "select",
    { value: result.target, "aria-label": t("image.why"), dataset: { test: "why" }, onchange: () => again(why.value) },
    classes.map((name) => h("option", { value: name }, name)),
  );
  why.value = result.target;
  show();
  return h(
    "section",
    { class: "card attention" },
    h("h2", {}, t("image.seen")),
    h("div", { class: "stack" }, h("img", { class: "input", src: result.input, alt: t("image.seen"), dataset: { test: "input" } }), heat),
    h("div", { class: "choice", role: "radiogroup", "aria-label": t("image.overlay") }, options),
    h("label", { class: "why" }, t("image.why"), why),
    opacity,
    how,
  );
}

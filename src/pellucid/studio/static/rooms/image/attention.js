// The image as the network reads it, and over it what speaks for a class.
import { fill, h } from "../../lib/dom.js";
import { remember, remembered } from "../../lib/memory.js";
import { t } from "../../lib/text.js";

const OVERLAYS = ["saliency", "grad_cam"];
const USUAL_OPACITY = 0.8;
const LARGE = 160; // pixels from which on an image is not shown as squares

export function attention(first, { network, speakFor }) {
  let result = first;
  const [, height, width] = network.input;
  const image = (name) => h("img", { class: name, src: first.input, alt: "", dataset: { test: name } });
  const stack = (...pictures) => h("div", { class: ["stack", width < LARGE && "squares"], style: { aspectRatio: `${width} / ${height}` } }, pictures);
  const heats = OVERLAYS.filter((name) => first[name]).map(heat);
  const why = h("select", { value: first.target, dataset: { test: "why" }, onchange: () => speakFor(why.value) }, network.classes.map((name) => h("option", { value: name }, name)));
  const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.05, value: kept(), dataset: { test: "opacity" }, oninput: () => (remember("opacity", opacity.value), cover()) });

  function heat(name) {
    const over = h("img", { class: "heat", alt: "", dataset: { test: name } });
    const how = h("span", { class: "soft" });
    const figure = h("figure", {}, stack(image("under"), over), h("figcaption", {}, h("b", {}, t(`image.overlay_${name}`)), how));
    return { name, over, how, figure };
  }

  function cover() {
    for (const { over } of heats) over.style.opacity = opacity.value;
  }

  /** What the network says about another class. */
  function take(next) {
    result = next;
    why.value = result.target;
    for (const { name, over, how } of heats) {
      over.src = result[name];
      over.dataset.target = result.target;
      fill(how, t(`image.how_${name}`, { target: result.target, layer: result.grad_cam_layer ?? "" }));
      over.alt = how.textContent;
    }
  }

  take(first);
  cover();
  const seen = image("input");
  seen.alt = t("image.seen");
  const node = h(
    "section",
    { class: "card attention", "aria-label": t("image.seen") },
    h(
      "div",
      { class: "pictures" },
      h("figure", {}, stack(seen), h("figcaption", {}, h("b", {}, t("image.seen")), h("span", { class: "soft" }, t("image.how_none", { width, height })))),
      heats.map(({ figure }) => figure),
    ),
    h("div", { class: "bar" }, h("label", {}, t("image.why"), why), h("label", {}, t("image.opacity"), opacity)),
  );
  return { node, take, target: () => result.target };
}

function kept() {
  const value = Number(remembered("opacity") ?? USUAL_OPACITY);
  return value >= 0 && value <= 1 ? value : USUAL_OPACITY;
}

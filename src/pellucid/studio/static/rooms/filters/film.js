// The first layer's filters at some steps of the run: a film with a slider.
import { url } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";

const A_SECOND = 8; // frames
const AHEAD = 6; // frames that are fetched before they are shown

export function film(root, { base, told: first }) {
  let told = first;
  let at = told.frames.length - 1;
  let timer = null;
  const pictures = new Map(); // address → Image, which is fetched as soon as it is made
  const picture = h("img", { class: "grid", alt: t("filters.grid"), dataset: { test: "frame" } });
  const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": t("filters.slider"), dataset: { test: "slider" }, oninput: () => show(Number(slider.value)) });
  const play = h("button", { type: "button", class: "main", dataset: { test: "play" }, onclick: () => (timer ? stop() : start()) });
  const words = h("output", { class: "where", dataset: { test: "where" } });
  const controls = h("div", { class: "controls" }, play, slider, words);
  const about = h("p", { class: "soft how" });

  function addressOf(frame) {
    return url(`${base}/film/${frame}.png?stamp=${encodeURIComponent(`${told.stamp}-${told.frames[frame].step}`)}`);
  }

  function fetched(frame) {
    const address = addressOf(frame);
    if (!pictures.has(address)) {
      const image = new Image();
      image.src = address;
      pictures.set(address, image);
    }
    return address;
  }

  function show(frame) {
    at = Math.max(0, Math.min(frame, told.frames.length - 1));
    const { step, epoch } = told.frames[at];
    picture.src = fetched(at);
    picture.dataset.step = step;
    slider.value = at;
    slider.setAttribute("aria-valuetext", t("filters.where", { step: number(step), epoch: number(epoch, 2) }));
    fill(words, told.frames.length > 1 ? t("filters.where", { step: number(step), epoch: number(epoch, 2) }) : "");
    for (let next = at + 1; next <= at + AHEAD && next < told.frames.length; next += 1) fetched(next);
  }

  function start() {
    if (at >= told.frames.length - 1) show(0);
    timer = setInterval(() => {
      if (at >= told.frames.length - 1) stop();
      else show(at + 1);
    }, 1000 / A_SECOND);
    draw();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    draw();
  }

  /** What is said around the picture. */
  function draw() {
    slider.max = told.frames.length - 1;
    controls.hidden = told.frames.length < 2;
    fill(play, t(timer ? "filters.pause" : "filters.play"));
    const key = told.frozen ? "filters.frozen" : told.through ? "filters.through" : "filters.plain";
    fill(about, t(key, { layer: told.layer, through: told.through, count: told.filters }));
  }

  function take(next) {
    const wasLast = at >= told.frames.length - 1;
    told = next;
    draw();
    show(wasLast && !timer ? told.frames.length - 1 : at);
  }

  fill(root, h("h2", {}, t("filters.title", { layer: told.layer })), about, h("div", { class: "screen" }, picture), controls);
  draw();
  show(at);
  return { take, stop: () => clearInterval(timer) };
}

// Buttons, slider and keys that go through the steps.
import { fill, h, svg } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";

const SPEEDS = [0.5, 1, 2, 4, 8, 16, 32, 60]; // a second
const MANY = 600; // steps: line by line, this would take minutes

const kept = { speed: null, by: null };

const DRAWINGS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h3.500v14H7zM13.500 5H17v14h-3.500z",
  next: "M9 5l7 7-7 7",
  previous: "M15 5l-7 7 7 7",
  nextStop: "M5 5l7 7-7 7M13 5l7 7-7 7",
  previousStop: "M19 5l-7 7 7 7M11 5l-7 7 7 7",
};

function drawing(name) {
  const filled = ["play", "pause"].includes(name);
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" }, svg("path", { d: DRAWINGS[name], class: filled ? "solid" : null }));
}

/** player({trail, show, signal}) → {node, go, at, pause}; show(at) is called whenever the step changes. */
export function player({ trail, show, signal }) {
  const { steps, stops } = trail;
  const last = steps.length - 1;
  let at = 0;
  let timer = null;
  const many = steps.length > MANY;
  let by = kept.by ?? (many ? "stop" : "line");
  let speed = kept.speed ?? (many ? 6 : 2);

  function go(to) {
    at = Math.max(0, Math.min(last, to));
    slider.value = at;
    const passed = stops.filter((stop) => stop <= at).length;
    const words = t("convolution.step_of", { step: number(at + 1), steps: number(steps.length), stop: number(passed), stops: number(stops.length) });
    fill(where, words);
    slider.setAttribute("aria-valuetext", words);
    show(at);
  }

  const after = () => stops.find((stop) => stop > at) ?? last;
  const before = () => stops.findLast((stop) => stop < at) ?? 0;

  function by_hand(to) {
    pause();
    go(to);
  }

  function pause() {
    clearTimeout(timer);
    timer = null;
    showPlaying();
  }

  function tick() {
    go(by === "stop" ? after() : at + 1);
    if (at >= last) pause();
    else timer = setTimeout(tick, 1000 / SPEEDS[speed]);
  }

  function toggle() {
    if (timer !== null) return pause();
    if (at >= last) go(0);
    timer = setTimeout(tick, Math.min(200, 1000 / SPEEDS[speed]));
    showPlaying();
  }

  function showPlaying() {
    const playing = timer !== null;
    const words = t(playing ? "convolution.pause" : "convolution.play");
    fill(play, drawing(playing ? "pause" : "play"), words);
    play.dataset.playing = playing;
  }

  const button = (name, test, to) =>
    h("button", { type: "button", class: "step-button", "aria-label": t(`convolution.go_${test.replace("-", "_")}`), title: t(`convolution.go_${test.replace("-", "_")}`), onclick: () => by_hand(to()), dataset: { test } }, drawing(name));
  const play = h("button", { type: "button", class: "main play", onclick: toggle, dataset: { test: "play" } });
  const slider = h("input", { type: "range", min: 0, max: last, step: 1, "aria-label": t("convolution.step"), oninput: () => by_hand(slider.valueAsNumber), dataset: { test: "step" } });
  const where = h("p", { class: "where soft", dataset: { test: "where" } });
  const pace = h("input", { type: "range", min: 0, max: SPEEDS.length - 1, step: 1, value: speed, oninput: () => (kept.speed = speed = pace.valueAsNumber), dataset: { test: "speed" } });
  const chooseBy = h(
    "div",
    { class: "choice", role: "group", "aria-label": t("convolution.play_by") },
    ["line", "stop"].map((name) => h("button", { type: "button", "aria-pressed": name === by, onclick: () => setBy(name), dataset: { test: `by-${name}` } }, t(`convolution.by_${name}`))),
  );

  function setBy(name) {
    kept.by = by = name;
    for (const each of chooseBy.children) each.setAttribute("aria-pressed", String(each.dataset.test === `by-${name}`));
  }

  document.addEventListener("keydown", (event) => pressed(event), { signal });

  function pressed(event) {
    if (!node.isConnected || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target.closest?.('input:not([type="range"]), select, textarea, dialog, nav')) return;
    const does = {
      ArrowRight: () => by_hand(event.shiftKey ? after() : at + 1),
      ArrowLeft: () => by_hand(event.shiftKey ? before() : at - 1),
      Home: () => by_hand(0),
      End: () => by_hand(last),
      " ": toggle,
    }[event.key];
    const own = event.key === " " ? target.closest?.("button, a, summary") : target === pace; // what has a use of its own for the key
    if (!does || own) return;
    event.preventDefault();
    does();
  }

  const node = h(
    "section",
    { class: "card player", "aria-label": t("convolution.player") },
    h(
      "div",
      { class: "buttons" },
      button("previousStop", "previous-stop", before),
      button("previous", "previous", () => at - 1),
      play,
      button("next", "next", () => at + 1),
      button("nextStop", "next-stop", after),
    ),
    slider,
    h("div", { class: "pace" }, where, h("label", {}, t("convolution.speed"), pace), chooseBy),
    h("p", { class: "keys soft" }, t("convolution.keys")),
  );
  showPlaying();
  return { node, go, at: () => at, pause };
}

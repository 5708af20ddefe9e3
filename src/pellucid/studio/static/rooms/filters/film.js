// The first layer's filters at some steps of the run: a film with a slider.
import { isAbort, url } from "../../lib/api.js";
import { fill, h, svg } from "../../lib/dom.js";
import { icon } from "../../lib/icons.js";
import { number, t } from "../../lib/text.js";
import { screen } from "./screen.js";

const A_SECOND = 8; // frames
const AHEAD = 6; // frames that are fetched before they are shown

export function film(root, { base, app, network, told: first }) {
  const frames = fetcher(base, first.stamp);
  const shows = screen(t("filters.grid"));
  const slider = h("input", {
    type: "range", min: 0, step: 1, "aria-label": t("filters.slider"), dataset: { test: "slider" },
    oninput: () => (stop(), show(Number(slider.value))),
  });
  const play = h("button", { type: "button", class: "main play", dataset: { test: "play" }, onclick: () => (playing ? stop() : start()) });
  const words = h("output", { class: "where", dataset: { test: "where" } });
  const controls = h("div", { class: "controls", onkeydown: keys }, play, slider, words);
  const title = h("h2", {});
  const about = h("p", { class: "soft how" });
  let told = first;
  let at = told.frames.length - 1;
  let playing = null; // what tells one play from the next
  let ended = false;

  function last() {
    return told.frames.length - 1;
  }

  /** Shows a frame as soon as it is there, unless another one is wanted by then. */
  async function show(frame) {
    at = Math.max(0, Math.min(frame, last()));
    say();
    const mine = at;
    try {
      const picture = await frames.fetched(mine, told);
      if (ended || mine !== at) return;
      shows.show(picture, told);
      shows.canvas.dataset.step = told.frames[mine].step;
      for (let next = mine + 1; next <= Math.min(mine + AHEAD, last()); next += 1) frames.fetched(next, told).catch(() => {});
    } catch (error) {
      if (ended || mine !== at || isAbort(error)) return;
      stop();
      app.fail(t("filters.no_frame", { step: number(told.frames[mine].step) }), { again: () => show(mine) });
    }
  }

  async function start() {
    const mine = (playing = {});
    dress();
    if (at >= last()) await Promise.all([show(0), pause()]);
    while (playing === mine && at < last()) await Promise.all([show(at + 1), pause()]);
    if (playing === mine) stop();
  }

  function stop() {
    playing = null;
    dress();
  }

  function say() {
    const { step, epoch } = told.frames[at];
    const loss = lossAt(told.losses, step);
    const where = t("filters.where", { step: number(step), epoch: number(epoch, 2) });
    slider.value = at;
    slider.setAttribute("aria-valuetext", where);
    fill(words, where, loss !== null && h("span", { class: "soft" }, t("filters.loss", { loss: number(loss, 3) })));
  }

  /** What stands around the picture. */
  function dress() {
    slider.max = last();
    controls.hidden = told.frames.length < 2;
    fill(play, playing ? PAUSE() : icon("play"), t(playing ? "filters.pause" : "filters.play"));
    fill(title, t("filters.title", { layer: told.layer }), " ", told.frozen && h("span", { class: "badge", dataset: { test: "frozen" } }, t("filters.is_frozen")));
    const key = told.frozen ? "filters.frozen" : told.through ? "filters.through" : "filters.plain";
    const coloured = network.input[0] === 3 ? "filters.in_colour" : "filters.signed";
    fill(about, t(key, { layer: told.layer, through: told.through, count: told.filters }), h("span", {}, t(coloured)));
  }

  /** The film has grown, or is another one: the run was begun anew. */
  function take(next) {
    const follows = at >= last() && !playing;
    if (next.frames.length < told.frames.length || next.frames[0].step !== told.frames[0].step) frames.renew(next.stamp);
    told = next;
    dress();
    if (follows || at > last()) show(last());
    else say();
  }

  function keys(event) {
    if (event.target === slider) return; // it knows them itself
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last() }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    stop();
    show(to);
  }

  fill(root, title, about, shows.node, controls);
  dress();
  show(at);
  if (last() > 0) frames.fetched(0, told).catch(() => {});
  return {
    take,
    end() {
      ended = true;
      playing = null;
      shows.end();
    },
  };
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, 1000 / A_SECOND));
}

/** The pictures of frames, each fetched once. */
function fetcher(base, firstStamp) {
  const pictures = new Map(); // address → promise of an Image
  let stamp = firstStamp; // the same for a film that only grows

  function fetched(frame, told) {
    const asked = new URLSearchParams({ stamp: `${stamp}-${told.frames[frame].step}` });
    const address = url(`${base}/film/${frame}.png?${asked}`);
    if (!pictures.has(address)) {
      const picture = new Image();
      picture.src = address;
      const ready = picture.decode().then(() => picture);
      ready.catch(() => pictures.delete(address)); // to be tried again
      pictures.set(address, ready);
    }
    return pictures.get(address);
  }

  return {
    fetched,
    renew(next) {
      stamp = next;
      pictures.clear();
    },
  };
}

/** The loss at a step, of those that were kept; null where there is none. */
function lossAt(losses, step) {
  if (!losses?.step?.length) return null;
  const after = losses.step.findIndex((each) => each > step);
  const place = (after < 0 ? losses.step.length : after) - 1;
  return place < 0 ? null : losses.loss[place];
}

function PAUSE() {
  const bar = (x) => svg("rect", { x, y: 4.5, width: 4, height: 15, rx: 1, class: "filled" });
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" }, bar(6), bar(14));
}

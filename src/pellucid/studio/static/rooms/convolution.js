// The room of convolution: a naive layer, walked through line by line, with every number that it works on.
import { isAbort, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { t } from "../lib/text.js";
import { backward } from "./convolution/backward.js";
import { chooser } from "./convolution/chooser.js";
import { code } from "./convolution/code.js";
import { forward } from "./convolution/forward.js";
import { player } from "./convolution/player.js";
import { poolBackward, poolForward } from "./convolution/pool.js";
import { replay } from "./convolution/replay.js";

export { strings } from "./convolution/words.js";
export const needsItem = false;

const SCENES = { conv_forward: forward, conv_backward: backward, max_pool_forward: poolForward, max_pool_backward: poolBackward };
const WAIT_MS = 250; // while somebody types

// what was looked at last, so that another language or a way back does not begin again
const kept = { request: { example: "volume" }, at: null, channel: 0 };

export async function mount(root, app) {
  const examples = await post("/api/walk", { list: true }, { signal: app.signal });
  const content = h("div", { class: "walk", "aria-busy": "true", dataset: { test: "walk" } });
  let stop = null; // ends the request that is under way when another one is made
  let shown = null; // {close}
  let timer = null;

  async function load() {
    stop?.abort();
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, app.signal]);
    content.setAttribute("aria-busy", "true");
    try {
      const walk = await post("/api/walk", kept.request, { signal });
      shown?.close();
      shown = whole({ walk, example: kept.request.example ?? null, signal: app.signal });
      fill(content, shown.nodes);
      shown.begin();
    } catch (error) {
      if (isAbort(error)) return;
      app.fail(error, { again: load });
    }
    content.removeAttribute("aria-busy");
  }

  function choose(request, { wait = false } = {}) {
    clearTimeout(timer);
    stop?.abort();
    if (!request) return content.setAttribute("aria-busy", "true"); // it would not fit: what is shown is no longer meant
    Object.assign(kept, { request, at: null, channel: 0 });
    timer = setTimeout(load, wait ? WAIT_MS : 0);
  }

  fill(root, chooser({ examples, request: kept.request, choose }), content);
  await load();
  return () => {
    clearTimeout(timer);
    stop?.abort();
    shown?.close();
  };
}

/** Everything that shows one walk: the numbers, the buttons, the lines. */
function whole({ walk, example, signal }) {
  const trail = replay(walk);
  const scene = SCENES[walk.operation]({ walk, example, jump, channel: Math.min(kept.channel, walk.sizes.C - 1), onChannel });
  const lines = code(walk);
  const buttons = player({ trail, show, signal });

  function onChannel(channel) {
    kept.channel = channel;
    scene.show(trail.to(buttons.at()));
  }

  function show(at) {
    kept.at = at;
    const now = trail.to(at);
    scene.show(now);
    lines.show(now);
  }

  function jump(place) {
    const at = trail.find(place);
    if (at === null) return;
    buttons.pause();
    buttons.go(at);
  }

  const stage = h("section", { class: "card stage", "aria-label": t("convolution.stage"), dataset: { test: "stage" } }, scene.node);
  return {
    nodes: [stage, h("div", { class: "beside" }, buttons.node, lines.node)],
    begin: () => buttons.go(kept.at ?? trail.stops[0]),
    close: buttons.pause,
  };
}

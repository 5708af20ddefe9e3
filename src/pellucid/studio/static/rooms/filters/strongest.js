// For each filter of a layer, the test images that it answers to most: asked for, waited for, shown.
import { get, isAbort, job } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { rows } from "./rows.js";

const TOP = 9;
const KEPT = 12; // results, so that another language or a way back costs no second walk over the images
const results = new Map();
const chosen = new Map(); // item → layer that was looked at last

export async function strongest(root, { base, app, network, frozen }) {
  const { id } = app.item;
  const layers = network.layers.filter(({ filters }) => filters > 0);
  const title = h("h2", {}, t("filters.strongest"));
  if (!network.images || !layers.length) {
    fill(root, title, h("p", { class: "empty" }, t(layers.length ? "filters.no_images" : "filters.no_layers")));
    return;
  }
  const isFrozen = (layer) => layer.frozen || layer.name === frozen;
  const names = layers.map((layer) => h("option", { value: layer.name }, nameOf(layer, isFrozen(layer))));
  const choose = h("select", { dataset: { test: "layer-choice" }, onchange: () => show({ ask: true }) }, names);
  const go = h("button", { type: "button", class: "main", dataset: { test: "ask" }, onclick: () => show({ ask: true }) }, t("filters.ask"));
  const content = h("div", { class: "content" });
  const usual = layers.find((layer, at) => at > 0 && !isFrozen(layer)) ?? layers[0];
  choose.value = layers.some(({ name }) => name === chosen.get(id)) ? chosen.get(id) : usual.name;
  let stop = null; // ends what is under way when another layer is chosen

  /** What is known of the layer; with `ask`, finds out. */
  async function show({ ask }) {
    stop?.abort();
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, app.signal]);
    const layer = choose.value;
    chosen.set(id, layer);
    try {
      const { stamp } = ask ? await get(`${base}/network`, { signal }) : network; // the weights may have changed since
      const key = JSON.stringify([id, stamp, layer]);
      go.hidden = ask || results.has(key);
      if (!results.has(key)) {
        fill(content);
        if (!ask) return;
        const wait = waiting(cancel);
        fill(content, wait.node);
        const asked = new URLSearchParams({ layer, top: TOP });
        keep(key, await job(`${base}/strongest?${asked}`, { signal, onProgress: wait.progress }));
      }
      fill(content, rows(results.get(key), { base, id, stamp, size: network.input.slice(1) }));
    } catch (error) {
      if (isAbort(error)) return;
      cancel();
      app.fail(error, { again: () => show({ ask: true }) });
    }
  }

  function cancel() {
    stop?.abort();
    fill(content);
    go.hidden = false;
    if (document.activeElement === document.body) go.focus(); // the button that was pressed is gone
  }

  fill(root, title, h("p", { class: "soft how" }, t("filters.strongest_how")), h("div", { class: "bar" }, h("label", {}, t("filters.layer"), choose), go), content);
  await show({ ask: false });
}

function nameOf({ name, filters }, isFrozen) {
  const count = t("filters.count", { count: filters });
  return `${name} (${isFrozen ? `${count}, ${t("filters.is_frozen")}` : count})`;
}

function keep(key, result) {
  results.set(key, result);
  if (results.size > KEPT) results.delete(results.keys().next().value);
}

function waiting(cancel) {
  const words = h("p", { role: "status" }, t("filters.working"));
  const bar = h("progress", { max: 1, "aria-label": t("filters.working") });
  const button = h("button", { type: "button", class: "small", dataset: { test: "cancel" }, onclick: cancel }, t("filters.cancel"));
  let said = 0; // a status line that changes all the time cannot be listened to

  function progress({ done, total }) {
    bar.value = total ? done / total : 0;
    if (performance.now() - said < 500) return;
    said = performance.now();
    fill(words, t("filters.working_of", { done: number(done), total: number(total) }));
  }

  return { node: h("div", { class: "waiting", dataset: { test: "working" } }, h("div", { class: "told" }, words, button), bar), progress };
}

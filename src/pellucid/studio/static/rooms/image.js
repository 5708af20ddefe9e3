// The room of one image: what the network says it shows, what every layer makes of it, and what in it speaks for a class.
import { get, isAbort, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { t } from "../lib/text.js";
import { attention } from "./image/attention.js";
import { chooser } from "./image/chooser.js";
import { layers } from "./image/layers.js";
import { probabilities } from "./image/probabilities.js";

export { strings } from "./image/words.js";
export const needsItem = true;

export async function mount(root, app) {
  const base = `/api/items/${encodeURIComponent(app.item.id)}`;
  const shown = h("div", { class: "shown", "aria-live": "polite" });
  let stop = null; // ends what is under way when another image is chosen
  let source = null; // {index} of a test image, or {file}
  let network = null;

  /** Asks what the network makes of the image, and for `target` what speaks for that class. */
  async function look(next, target = null) {
    stop?.abort();
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, app.signal]);
    source = next;
    pick.mark(next);
    shown.setAttribute("aria-busy", "true");
    const asked = new URLSearchParams();
    if (next.index !== undefined) asked.set("index", next.index);
    if (target) asked.set("target", target);
    try {
      const content = next.file ?? null;
      const options = { signal, contentType: next.file?.type || "application/octet-stream" };
      const result = await post(`${base}/look?${asked}`, content, options);
      if (signal.aborted) return;
      show(result);
      if (target) shown.querySelector('[data-test="why"]')?.focus(); // where whoever chose the class was
    } catch (error) {
      if (isAbort(error)) return;
      app.fail(error, { again: next.file ? null : () => look(next, target) });
    } finally {
      if (!signal.aborted) shown.removeAttribute("aria-busy");
    }
  }

  function show(result) {
    const again = (target) => look(source, target);
    fill(
      shown,
      h("div", { class: "answer" }, attention(result, network.classes, again), probabilities(result, source)),
      layers(result, { base, network, signal: app.signal }),
    );
  }

  const pick = chooser({ base, app, look });
  fill(root, pick.node, shown);
  try {
    network = await get(`${base}/network`, { signal: app.signal });
    fill(shown, h("p", { class: "empty" }, t(network.images ? "image.choose" : "image.drop_only")));
    await pick.begin(network);
    const place = /^\d+$/.test(app.place ?? "") ? Number(app.place) : null;
    if (network.images) await look({ index: place ?? pick.first() ?? 0 });
  } catch (error) {
    app.fail(error);
  }
  return () => {
    stop?.abort();
    pick.close();
  };
}

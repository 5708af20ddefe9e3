// The room of one image: what the network says it shows, what in it speaks for a class, and what every layer makes of it.
import { get, isAbort, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { t } from "../lib/text.js";
import { attention } from "./image/attention.js";
import { chooser } from "./image/chooser.js";
import { layers } from "./image/layers.js";
import { probabilities } from "./image/probabilities.js";

export { strings } from "./image/words.js";
export const needsItem = true;

let kept = null; // what was looked at last, {index} or {file}: also in another language and with another network

export async function mount(root, app) {
  const { id } = app.item;
  const base = `/api/items/${encodeURIComponent(id)}`;
  const shown = h("div", { class: "shown" });
  const said = h("p", { class: "hidden-text", role: "status" }); // for those who do not see it change
  let stop = null; // ends what is under way when something else is asked for
  let source = null; // {index} of a test image, or {file}
  let parts = null; // what shows it
  let network = null;

  async function ask({ index, file }, target) {
    stop?.abort();
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, app.signal]);
    const asked = new URLSearchParams();
    if (index !== undefined) asked.set("index", index);
    if (target) asked.set("target", target);
    shown.setAttribute("aria-busy", "true");
    try {
      return await post(`${base}/look?${asked}`, file ?? null, { signal, contentType: file?.type || "application/octet-stream" });
    } finally {
      if (!signal.aborted) shown.removeAttribute("aria-busy");
    }
  }

  /** Shows what the network makes of an image. */
  async function look(next) {
    pick.mark(next);
    try {
      const result = await ask(next);
      source = kept = next;
      const place = next.index === undefined ? "" : `/${next.index}`;
      history.replaceState(null, "", `#/image/${encodeURIComponent(id)}${place}`); // to come back to, and to send to others
      show(result);
    } catch (error) {
      if (isAbort(error)) return;
      pick.mark(source ?? {});
      if (!source) fill(shown, h("p", { class: "empty" }, t(network.images ? "image.choose" : "image.drop_only")));
      app.fail(error, { again: next.file ? null : () => look(next) });
    }
  }

  /** Shows what in the present image speaks for another class. */
  async function speakFor(target) {
    parts.bars.mark(target);
    try {
      const result = await ask(source, target);
      parts.attention.take(result);
    } catch (error) {
      if (isAbort(error)) return;
      parts.bars.mark(parts.attention.target());
      app.fail(error, { again: () => speakFor(target) });
    }
  }

  function show(result) {
    parts?.layers.end();
    parts = {
      bars: probabilities(result, { source, speakFor }),
      attention: attention(result, { network, speakFor }),
      layers: layers(result, { base, network }),
    };
    fill(said, t("image.says", { label: result.probabilities[0].label }));
    fill(shown, h("div", { class: "first" }, parts.attention.node, parts.bars.node), parts.layers.node);
  }

  const pick = chooser({ base, app, look });
  fill(root, pick.node, said, shown);
  fill(shown, h("p", { class: "empty" }, t("image.opening")));
  try {
    network = await get(`${base}/network`, { signal: app.signal });
    fill(shown, h("p", { class: "empty" }, t(network.images ? "image.opening" : "image.drop_only")));
    const place = /^\d{1,9}$/.test(app.place ?? "") ? { index: Number(app.place) } : null;
    const next = place ?? (kept?.file || kept?.index < network.images ? kept : network.images ? { index: 0 } : null);
    await pick.begin(network, next?.index ?? 0);
    if (next) await look(next);
  } catch (error) {
    app.fail(error);
  }
  return () => {
    stop?.abort();
    pick.end();
    parts?.layers.end();
  };
}

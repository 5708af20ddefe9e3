// The room of filters: the first layer's through training, as a film, and what each later filter answers to most.
import { get, isAbort } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { t } from "../lib/text.js";
import { film } from "./filters/film.js";
import { strongest } from "./filters/strongest.js";

export { strings } from "./filters/words.js";
export const needsItem = true;

const AGAIN_S = 4; // a film that is being made has new frames by then

export async function mount(root, app) {
  const { id, kind } = app.item;
  const base = `/api/items/${encodeURIComponent(id)}`;
  const { signal } = app;
  const [first, later] = [h("section", { class: "card film" }), h("section", { class: "card strongest" })];
  let shown = null;
  let timer = null;
  let state = app.item.state;

  /** The film, and the steps with their loss: without the loss where nobody wrote it down. */
  async function told() {
    const steps = kind === "run" ? get(`/api/runs/${encodeURIComponent(id)}/metrics`, { signal }).catch(() => null) : null;
    const [about, metrics] = await Promise.all([get(`${base}/film`, { signal }), steps]);
    return { ...about, losses: metrics?.steps ?? null };
  }

  function growing() {
    return state === "running" || state === "stopping";
  }

  async function grow() {
    clearTimeout(timer);
    try {
      if (!document.hidden) shown?.take(await told());
    } catch (error) {
      if (!isAbort(error)) app.fail(error);
    }
    again();
  }

  function again() {
    clearTimeout(timer);
    timer = growing() && !signal.aborted ? setTimeout(grow, 1000 * AGAIN_S) : null;
  }

  app.onItems(() => {
    const before = state;
    state = app.item?.state ?? null;
    if (before !== state && state !== "gone" && state !== null) grow(); // begun again, or the last frames of one that ended
  });

  fill(root, first, later);
  fill(first, h("p", { class: "empty" }, t("filters.opening")));
  try {
    const network = await get(`${base}/network`, { signal });
    const about = await told();
    shown = film(first, { base, app, network, told: about });
    await strongest(later, { base, app, network, frozen: about.through });
    again();
  } catch (error) {
    if (!isAbort(error) && !shown) fill(first, h("p", { class: "empty" }, t("filters.nothing")));
    app.fail(error);
  }
  return () => {
    clearTimeout(timer);
    shown?.end();
  };
}

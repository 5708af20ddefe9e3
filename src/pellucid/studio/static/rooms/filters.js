// The room of filters: the first layer's through training, as a film, and what each later filter answers to most.
import { get, isAbort } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { t } from "../lib/text.js";
import { film } from "./filters/film.js";
import { strongest } from "./filters/strongest.js";

export { strings } from "./filters/words.js";
export const needsItem = true;

const AGAIN_S = 5; // a film that is being made has new frames by then

export async function mount(root, app) {
  const base = `/api/items/${encodeURIComponent(app.item.id)}`;
  const [first, later] = [h("section", { class: "card film" }), h("section", { class: "card strongest" })];
  let shown = null;
  let timer = null;

  async function grow() {
    try {
      shown?.take(await get(`${base}/film`, { signal: app.signal }));
    } catch (error) {
      if (!isAbort(error)) app.fail(error);
    }
    again();
  }

  function again() {
    const growing = app.item?.state === "running" || app.item?.state === "stopping";
    timer = growing && !app.signal.aborted ? setTimeout(grow, 1000 * AGAIN_S) : null;
  }

  fill(root, first, later);
  fill(first, h("p", { class: "empty" }, t("filters.opening")));
  try {
    const [network, told] = await Promise.all([
      get(`${base}/network`, { signal: app.signal }),
      get(`${base}/film`, { signal: app.signal }),
    ]);
    shown = film(first, { base, told });
    strongest(later, { base, app, network });
    again();
  } catch (error) {
    app.fail(error);
  }
  return () => {
    clearTimeout(timer);
    shown?.stop();
  };
}

// Errors as sentences, in one place that screen readers announce.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { isAbort } from "./api.js";
import { t } from "./text.js";

const MOST = 3; // older messages make room

/** The region, and what writes to it. */
export function alerts() {
  const region = h("div", { class: "alerts", role: "alert", dataset: { test: "alert" } });

  /** Shows an Error or a sentence; `again` is a function to try once more. What was aborted is no error. */
  function fail(error, { again = null } = {}) {
    if (isAbort(error)) return;
    const text = typeof error === "string" ? error : sentenceOf(error);
    forget(text);
    const box = h(
      "div",
      { class: "alert", dataset: { text, test: "alert-message" } },
      h("p", {}, text),
      again && h("button", { type: "button", class: "small", onclick: () => (box.remove(), again()) }, t("shell.again")),
      h("button", { type: "button", class: "bare", "aria-label": t("shell.close"), onclick: () => box.remove() }, icon("close")),
    );
    region.append(box);
    while (region.children.length > MOST) region.firstChild.remove();
  }

  /** Takes a message away whose reason is gone. */
  function forget(text) {
    for (const old of [...region.children]) if (old.dataset.text === text) old.remove();
  }

  return { region, fail, forget, quiet: () => region.replaceChildren() };
}

/** The server's sentences are shown as they are; an error of the page's own code says that it is one. */
function sentenceOf(error) {
  if (error?.pellucid) return error.message;
  console.error(error);
  return t("shell.unexpected", { error: error?.message ?? String(error) });
}

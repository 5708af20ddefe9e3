// A picture of one's own: dropped anywhere on the page, pasted, or chosen as a file.
import { h } from "../../lib/dom.js";
import { icon } from "../../lib/icons.js";
import { number, t } from "../../lib/text.js";

const MOST_BYTES = 20 * 2 ** 20; // that the studio takes

/** `look({file})` is called with what can be read; `fail` with a sentence about what cannot. */
export function own({ look, fail }) {
  const input = h("input", { type: "file", accept: "image/*", class: "file", dataset: { test: "file" }, onchange: () => take(input.files) });
  const node = h(
    "label",
    { class: "drop", dataset: { test: "drop" } },
    input,
    icon("image"),
    h("span", {}, h("b", {}, t("image.drop")), h("br"), h("span", { class: "soft" }, t("image.or_choose"))),
  );

  async function take(files) {
    const file = files?.[0];
    if (!file) return;
    const wrong = await trouble(file);
    input.value = ""; // the same file may be chosen again
    if (wrong) fail(wrong);
    else look({ file });
  }

  function dragged(event) {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault(); // or the browser would leave the page for the picture
    node.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files);
  }

  function pasted({ clipboardData }) {
    take([...(clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/")));
  }

  const dragging = ["dragover", "dragleave", "drop"];
  for (const name of dragging) addEventListener(name, dragged);
  addEventListener("paste", pasted);
  return {
    node,
    end() {
      for (const name of dragging) removeEventListener(name, dragged);
      removeEventListener("paste", pasted);
    },
  };
}

/** Why a file need not be sent: a sentence, or null. */
async function trouble(file) {
  const { name, size } = file;
  if (size > MOST_BYTES) return t("image.too_large", { name, size: number(size / 2 ** 20, 1), most: MOST_BYTES / 2 ** 20 });
  try {
    await file.slice(0, 1).arrayBuffer(); // a folder, or a file that is gone, cannot be read
  } catch {
    return t("image.unreadable", { name });
  }
  return size === 0 ? t("image.no_bytes", { name }) : null;
}

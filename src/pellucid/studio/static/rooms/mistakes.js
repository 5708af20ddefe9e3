// The room of mistakes: the confusion matrix, the images behind each of its numbers, and the most confident errors.
import { get, isAbort, job } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { number, percent, t } from "../lib/text.js";
import { gallery } from "./mistakes/gallery.js";
import { cellText, commonest, matrix, sum } from "./mistakes/matrix.js";

export { strings } from "./mistakes/words.js";
export const needsItem = true;

const PARTS = ["test", "val"];
const KEPT = 8; // results, so that another language or a way back costs no second walk over all images
const results = new Map();
let chosenPart = "test";

export async function mount(root, app) {
  const content = h("div", { class: "content" });
  let stop = null; // ends what is under way when another part is chosen

  async function show() {
    stop?.abort();
    stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, app.signal]);
    const wait = waiting();
    fill(content, wait.node);
    try {
      const id = app.item.id;
      const network = await get(`/api/items/${encodeURIComponent(id)}/network`, { signal });
      const result = await resultOf(id, chosenPart, network.stamp, { signal, onProgress: wait.progress });
      fill(content, whole({ app, result, id, size: network.input.slice(1), signal }));
    } catch (error) {
      if (isAbort(error)) return;
      fill(content, h("div", { class: "empty", dataset: { test: "nothing-here" } }, h("h2", {}, t("mistakes.none_here"))));
      app.fail(error, { again: show });
    }
  }

  fill(root, parts(show), content);
  show();
  return () => stop?.abort();
}

async function resultOf(id, part, stamp, options) {
  const key = JSON.stringify([id, part, stamp]);
  if (!results.has(key)) {
    results.set(key, await job(`/api/items/${encodeURIComponent(id)}/mistakes?part=${part}`, options));
    if (results.size > KEPT) results.delete(results.keys().next().value);
  }
  return results.get(key);
}

function parts(show) {
  const options = PARTS.map((part) => {
    const choose = () => {
      chosenPart = part;
      show();
    };
    const input = h("input", { type: "radio", name: "part", value: part, checked: part === chosenPart, onchange: choose });
    return h("label", { dataset: { test: `part-${part}` } }, input, t(`mistakes.part_${part}`));
  });
  return h("div", { class: "choice", role: "radiogroup", "aria-label": t("mistakes.part") }, options);
}

function waiting() {
  const words = h("p", { role: "status" }, t("mistakes.working"));
  const bar = h("progress", { max: 1, "aria-label": t("mistakes.working") });
  let said = 0; // a status line that changes all the time cannot be listened to

  function progress({ done, total }) {
    bar.value = total ? done / total : 0;
    if (performance.now() - said < 500) return;
    said = performance.now();
    fill(words, t("mistakes.working_of", { done: number(done), total: number(total) }));
  }

  return { node: h("div", { class: "waiting card", dataset: { test: "progress" } }, words, bar), progress };
}

function whole({ app, result, id, size, signal }) {
  const { classes, confusion, wrong, part } = result;
  const pane = h("section", { class: "card pane", "aria-live": "polite", dataset: { test: "cell" } }, h("p", { class: "empty" }, t("mistakes.choose")));
  let turn = 0;

  async function open(label, predicted) {
    const mine = ++turn;
    const title = h("h2", {}, cellText(result, label, predicted));
    fill(pane, title);
    const count = confusion[label][predicted];
    if (!count) return pane.append(h("p", { class: "soft" }, t("mistakes.empty_cell")));
    try {
      const asked = new URLSearchParams({ part, label, predicted });
      const { images } = await get(`/api/items/${encodeURIComponent(id)}/mistakes/cell?${asked}`, { signal });
      if (mine !== turn) return;
      const all = images.map((each) => ({ ...each, label: classes[label], predicted: classes[predicted] }));
      const some = images.length < count && h("p", { class: "soft" }, t("mistakes.first_of", { shown: number(images.length), count: number(count) }));
      fill(pane, title, some, gallery({ itemId: id, part, size, images: all, named: false }));
    } catch (error) {
      if (mine === turn) app.fail(error, { again: () => open(label, predicted) });
    }
  }

  const table = matrix(result, open);
  return [
    summary(result, table.open),
    h(
      "div",
      { class: "pair" },
      h("section", { class: "card" }, h("h2", {}, t("mistakes.matrix")), h("p", { class: "soft how" }, t("mistakes.matrix_how")), table.node),
      pane,
    ),
    h(
      "section",
      { class: "card", dataset: { test: "confident" } },
      h("h2", {}, t("mistakes.confident")),
      h("p", { class: "soft how" }, t(wrong.length ? "mistakes.confident_how" : "mistakes.no_wrong")),
      wrong.length > 0 && gallery({ itemId: id, part, size, images: wrong, named: true }),
    ),
  ];
}

function summary({ classes, confusion, accuracy }, open) {
  const total = sum(confusion.map(sum));
  const right = sum(confusion.map((row, label) => row[label]));
  const fact = (key, value, name) => h("div", {}, h("dt", {}, t(key)), h("dd", { dataset: { test: name } }, value));
  const buttons = commonest(confusion, 4).map(({ label, predicted, count }) => {
    const names = { label: classes[label], predicted: classes[predicted] };
    return h(
      "button",
      { type: "button", class: "small", "aria-label": `${t("mistakes.pair", names)}: ${number(count)}`, onclick: () => open(label, predicted) },
      t("mistakes.pair_short", names),
      h("span", { class: "soft" }, number(count)),
    );
  });
  return h(
    "dl",
    { class: "card summary" },
    fact("mistakes.accuracy", percent(accuracy), "accuracy"),
    fact("mistakes.wrong", t("mistakes.wrong_of", { wrong: number(total - right), total: number(total) }), "wrong"),
    buttons.length > 0 && h("div", { class: "most" }, h("dt", {}, t("mistakes.most")), h("dd", {}, buttons)),
  );
}

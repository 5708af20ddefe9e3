// The confusion matrix as a table that can be walked over with the arrow keys.
import { fill, h } from "../../lib/dom.js";
import { number, percent, t } from "../../lib/text.js";

const FAINTEST = 0.1; // of the colour, for a single image
const UPRIGHT = 4; // so few classes have room for their names across

/** The sentence of one cell. */
export function cellText({ classes, confusion }, label, predicted) {
  const total = sum(confusion[label]);
  const count = confusion[label][predicted];
  return t(label === predicted ? "mistakes.cell_right" : "mistakes.cell_wrong", {
    label: classes[label],
    predicted: classes[predicted],
    count: number(count),
    total: number(total),
    share: percent(total ? count / total : null),
  });
}

export function sum(counts) {
  return counts.reduce((a, b) => a + b, 0);
}

/** The table with a line that says what a cell means; `choose(label, predicted)` is told which was opened. */
export function matrix(result, choose) {
  const { classes, confusion } = result;
  const K = classes.length;
  const most = highestShare(confusion);
  const readout = h("p", { class: "readout", dataset: { test: "readout" } }, "\u00a0");
  const cells = confusion.map((row, label) => row.map((count, predicted) => cell(count, sum(row), label, predicted, most)));
  const head = h(
    "tr",
    {},
    h("th", { class: "corner" }, h("span", {}, t("mistakes.is")), h("span", {}, t("mistakes.for"))),
    classes.map((name) => h("th", { scope: "col", title: name }, h("span", {}, name))),
  );
  const rows = classes.map((name, label) => h("tr", {}, h("th", { scope: "row", title: name }, h("span", {}, name)), cells[label]));
  const size = K <= 12 ? "large" : K <= 30 ? "medium" : "small";
  const table = h(
    "table",
    { class: ["matrix", size, K > UPRIGHT && "turned"], role: "grid", "aria-label": t("mistakes.matrix"), dataset: { test: "matrix" } },
    h("thead", {}, head),
    h("tbody", {}, rows),
  );
  let here = [0, 0];
  let chosen = null;
  cells[0][0].tabIndex = 0;

  function tell(label, predicted) {
    fill(readout, cellText(result, label, predicted));
  }

  function goTo(label, predicted) {
    cells[here[0]][here[1]].tabIndex = -1;
    here = [label, predicted];
    const node = cells[label][predicted];
    node.tabIndex = 0;
    node.setAttribute("aria-label", cellText(result, label, predicted));
    tell(label, predicted);
    return node;
  }

  function open(label, predicted) {
    goTo(label, predicted);
    chosen?.removeAttribute("aria-selected");
    chosen = cells[label][predicted];
    chosen.setAttribute("aria-selected", "true");
    choose(label, predicted);
  }

  table.addEventListener("click", ({ target }) => {
    const at = placeOf(target);
    if (at) open(...at);
  });
  table.addEventListener("pointerover", ({ target }) => {
    const at = placeOf(target);
    if (at) tell(...at);
  });
  table.addEventListener("focusin", ({ target }) => {
    const at = placeOf(target);
    if (at) goTo(...at);
  });
  table.addEventListener("keydown", (event) => {
    const next = stepped(event, here, K - 1);
    if (event.key === "Enter" || event.key === " ") open(...here);
    else if (next) goTo(...next).focus();
    else return;
    event.preventDefault();
  });
  return { node: h("div", {}, h("div", { class: "scroll" }, table), readout), open };
}

function placeOf(target) {
  const node = target.closest?.("td");
  return node ? [Number(node.dataset.label), Number(node.dataset.predicted)] : null;
}

/** Where a key leads from a cell, or null. */
function stepped({ key, ctrlKey }, [label, predicted], last) {
  const to = {
    ArrowUp: [label - 1, predicted],
    ArrowDown: [label + 1, predicted],
    ArrowLeft: [label, predicted - 1],
    ArrowRight: [label, predicted + 1],
    Home: [ctrlKey ? 0 : label, 0],
    End: [ctrlKey ? last : label, last],
    PageUp: [Math.max(0, label - 10), predicted],
    PageDown: [Math.min(last, label + 10), predicted],
  }[key];
  return to ? to.map((place) => Math.min(last, Math.max(0, place))) : null;
}

function cell(count, total, label, predicted, most) {
  const share = total ? count / total : 0;
  const right = label === predicted;
  const strength = count === 0 ? 0 : Math.max(FAINTEST, right ? share : Math.sqrt(share / most));
  return h(
    "td",
    {
      class: [right && "right", count === 0 && "zero"],
      tabindex: "-1",
      role: "gridcell",
      dataset: { label, predicted },
      style: count ? { "--strength": strength.toFixed(2) } : {},
    },
    count,
  );
}

/** The largest share of a class that was taken for one other class. */
function highestShare(confusion) {
  let most = 0;
  confusion.forEach((row, label) => {
    const total = sum(row);
    row.forEach((count, predicted) => {
      if (label !== predicted && total) most = Math.max(most, count / total);
    });
  });
  return most || 1;
}

/** The pairs that are confused most often: [{label, predicted, count}]. */
export function commonest(confusion, N) {
  return confusion
    .flatMap((row, label) => row.map((count, predicted) => ({ label, predicted, count })))
    .filter(({ label, predicted, count }) => label !== predicted && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, N);
}

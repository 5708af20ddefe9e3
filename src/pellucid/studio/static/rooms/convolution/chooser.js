// What is walked through: an example by name, or sizes that somebody types, and what comes of them.
import { fill, h } from "../../lib/dom.js";
import { number, t } from "../../lib/text.js";
import { asFields, FIELDS, fieldsOf, formula, isConvolution, OPERATIONS, ranges, sizesOf } from "./sizes.js";

const OWN = "own";

/** `choose(request, {wait})` is called with what to ask the server for, and with null where it would not fit. */
export function chooser({ examples, request, choose }) {
  const known = examples.find(({ name }) => name === request.example);
  let operation = known?.operation ?? request.operation;
  const results = h("div", { class: "results", "aria-live": "polite" });
  const inputs = new Map(FIELDS.map((field) => [field.name, input(field)]));
  const example = select("example", [...examples.map(({ name }) => name), OWN], (name) => t(`convolution.example_${name.replace("-", "_")}`), byName);
  const operations = select("operation", OPERATIONS, (name) => t(`convolution.operation_${name}`), byOperation);
  const how = h("p", { class: "soft how", dataset: { test: "about-example" } });

  function input({ name, least, most }) {
    const id = `convolution-${name}`;
    return h("input", { id, type: "number", inputmode: "numeric", min: least, max: most, step: 1, oninput: typed, dataset: { test: `in-${name}` } });
  }

  function given() {
    return Object.fromEntries(fieldsOf(operation).map(({ name }) => [name, inputs.get(name).valueAsNumber]));
  }

  function put(values) {
    for (const [name, node] of inputs) if (name in values) node.value = values[name];
  }

  function byName() {
    const found = examples.find(({ name }) => name === example.value);
    if (found) {
      operation = found.operation;
      put(asFields(found.sizes));
    }
    say();
    choose(found ? { example: found.name } : { operation, ...given() });
  }

  function byOperation() {
    operation = operations.value;
    typed(null, { wait: false });
  }

  function typed(_, { wait = true } = {}) {
    example.value = OWN;
    const { problem } = say();
    choose(problem ? null : { operation, ...given() }, { wait });
  }

  /** Shows everything that follows from what the fields say. */
  function say() {
    operations.value = operation;
    for (const { name, conv } of FIELDS) inputs.get(name).closest(".field").hidden = Boolean(conv) && !isConvolution(operation);
    fill(how, t(`convolution.about_${example.value.replace("-", "_")}`));
    const sizes = sizesOf(operation, given());
    fill(results, sizes.problem ? h("p", { class: "problem", dataset: { test: "problem" } }, sizes.problem) : facts(operation, sizes));
    return sizes;
  }

  const fields = FIELDS.map(({ name, symbol }) =>
    h("div", { class: "field" }, h("label", { for: `convolution-${name}` }, h("b", { class: "symbol" }, symbol), " ", t(`convolution.field_${name}`)), inputs.get(name)),
  );
  const node = h(
    "section",
    { class: "card choosing", "aria-label": t("convolution.choosing") },
    h("div", { class: "which" }, labelled("example", example), labelled("operation", operations), how),
    h("div", { class: "sizes", role: "group", "aria-label": t("convolution.sizes") }, fields),
    results,
  );
  put({ ...asFields(examples[0].sizes), ...(known ? asFields(known.sizes) : request) });
  example.value = known?.name ?? OWN;
  say();
  return node;
}

function select(name, values, words, onchange) {
  const options = values.map((value) => h("option", { value }, words(value)));
  return h("select", { id: `convolution-${name}`, onchange, dataset: { test: name } }, options);
}

function labelled(name, node) {
  return h("div", { class: "field" }, h("label", { for: node.id }, t(`convolution.choose_${name}`)), node);
}

/** Output size with the numbers put in, multiply-adds, and what no window sees. */
function facts(operation, sizes) {
  const { high, wide, D, K, F, C, P, conv, multiplyAdds } = sizes;
  const same = high.length === wide.length;
  const line = (name, way) => h("span", { class: "formula mono" }, `${name}: ${formula(way, sizes)}`);
  const symbols = `(W − F + 2P) / S + 1`;
  const size = h(
    "dd",
    { dataset: { test: "size", value: wide.out, height: high.out, width: wide.out } },
    h("strong", {}, `${K} × ${high.out} × ${wide.out}`),
    same ? line(symbols, wide) : [line("H", high), line("W", wide)],
  );
  const notes = [
    D > 1 && t("convolution.spans", { D, F, span: wide.span }),
    high.unseen.length + wide.unseen.length > 0 &&
      t(P ? "convolution.unseen_padded" : "convolution.unseen", { rows: ranges(high.unseen), columns: ranges(wide.unseen) }),
  ].filter(Boolean);
  return [
    h(
      "dl",
      {},
      h("div", {}, h("dt", {}, t("convolution.output_size")), size),
      h(
        "div",
        {},
        h("dt", {}, t("convolution.multiply_adds")),
        h(
          "dd",
          { dataset: { test: "multiply-adds", value: multiplyAdds } },
          h("strong", {}, number(multiplyAdds)),
          conv
            ? h("span", { class: "formula mono" }, `${high.out} · ${wide.out} · ${K} · ${F} · ${F} · ${C}${operation === "conv_backward" ? t("convolution.twice") : ""}`)
            : h("span", { class: "formula" }, t("convolution.only_compares")),
        ),
      ),
    ),
    notes.map((text) => h("p", { class: "note", dataset: { test: "note" } }, text)),
  ];
}

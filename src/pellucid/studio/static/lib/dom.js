// Builds elements. Strings become text nodes, so nothing that a file or a run is called can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "quiet", onclick: go, "aria-label": "…", disabled: false, dataset: {test: "go"}}, "Go", icon) */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  node.append(...nodes(children)); // first: a select takes its value only when it has its options
  give(node, props);
  return node;
}

/** The same for SVG elements: svg("svg", {viewBox: "0 0 24 24"}, svg("path", {d: "…"})). */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (known(value)) node.setAttribute(name, value);
  }
  node.append(...nodes(children));
  return node;
}

/** Takes out all children. */
export function clear(node) {
  node.replaceChildren();
  return node;
}

/** Puts these children in the place of what was there. */
export function fill(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

function known(value) {
  return value !== null && value !== undefined && value !== false;
}

function give(node, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) {
      if (value) node.addEventListener(name.slice(2).toLowerCase(), value);
    } else if (name === "class") node.className = Array.isArray(value) ? value.filter(Boolean).join(" ") : (value ?? "");
    else if (name === "style") giveStyle(node.style, value ?? {});
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value ?? "";
    else if (["checked", "disabled", "selected", "open", "hidden", "indeterminate", "readOnly"].includes(name))
      node[name] = Boolean(value);
    else if (name.startsWith("aria-")) {
      if (value !== null && value !== undefined) node.setAttribute(name, String(value)); // aria-pressed="false" says something
    } else if (known(value)) node.setAttribute(name, value === true ? "" : value);
  }
}

function giveStyle(style, values) {
  for (const [name, value] of Object.entries(values)) {
    if (name.startsWith("--")) style.setProperty(name, value);
    else style[name] = value;
  }
}

/** Text for strings and numbers; null, undefined and false are left out; lists may lie in lists. */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => known(child) && child !== true)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

// A recipe to read: comments faint, names and tables told from values. Only for the eye, it checks nothing.
import { h } from "../../lib/dom.js";

const TOKEN = /^(\s*)(?:(\[[^\]]*\]+)|([\w."'-]+)(\s*=\s*))?(.*)$/;

export function toml(text) {
  return h("pre", { class: "toml", tabindex: "0", dataset: { test: "recipe" } }, text.trimEnd().split("\n").map((each) => [lineOf(each), "\n"]));
}

function lineOf(text) {
  const [, space, table, key, equals, rest] = TOKEN.exec(text);
  const at = commentIn(rest);
  return [
    space,
    table && h("b", {}, table),
    key && [h("span", { class: "name" }, key), equals],
    rest.slice(0, at),
    at < rest.length && h("i", {}, rest.slice(at)),
  ];
}

/** Where a comment begins: the first # that is in no string; the end where there is none. */
function commentIn(text) {
  let quote = null;
  for (let i = 0; i < text.length; i += 1) {
    const letter = text[i];
    if (quote) {
      if (letter === "\\" && quote === '"') i += 1;
      else if (letter === quote) quote = null;
    } else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === "#") return i;
  }
  return text.length;
}

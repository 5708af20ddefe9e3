// Words and numbers in the language that was chosen.
import { remember, remembered } from "./memory.js";

const words = { en: {}, zh: {} };
let chosen = null;

export const LANGUAGES = { en: "English", zh: "中文" };

/** "en" or "zh": what was chosen last, else what the browser asks for. */
export function language() {
  if (!chosen) {
    const kept = remembered("language");
    const asked = navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
    chosen = kept in LANGUAGES ? kept : asked;
  }
  return chosen;
}

export function setLanguage(name) {
  chosen = name;
  remember("language", name);
}

/** addStrings({en: {"room.word": "…"}, zh: {…}}) */
export function addStrings(strings) {
  for (const name of Object.keys(LANGUAGES)) Object.assign(words[name], strings[name]);
}

/** The words of a key, with {name} replaced by values.name; the key itself where nobody wrote any. */
export function t(key, values = {}) {
  const text = words[language()][key] ?? words.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const NOTHING = "–";

/** A number with so many digits behind the point; without `digits`, as many as it takes to tell four. */
export function number(x, digits) {
  if (!told(x)) return NOTHING;
  const options =
    digits !== undefined
      ? { minimumFractionDigits: digits, maximumFractionDigits: digits }
      : Math.abs(x) >= 1000
        ? { maximumFractionDigits: 0 }
        : { maximumSignificantDigits: 4 };
  return new Intl.NumberFormat(language(), options).format(Object.is(x, -0) ? 0 : x);
}

/** 0.9341 → "93.4 %" */
export function percent(x, digits = 1) {
  if (!told(x)) return NOTHING;
  return number(100 * x, digits) + (language() === "zh" ? "%" : "\u202f%");
}

/** 200 → "3 min 20 s" */
export function duration(seconds) {
  if (!told(seconds)) return NOTHING;
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes, rest] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const zh = language() === "zh";
  const units = zh ? ["天", "小时", "分", "秒"] : ["d", "h", "min", "s"];
  const amounts = [days, hours, minutes, rest];
  const first = amounts.findIndex((amount) => amount > 0);
  if (first < 0) return zh ? "0 秒" : "0\u00a0s";
  return [first, first + 1]
    .filter((place) => place < 4 && amounts[place] > 0)
    .map((place) => `${amounts[place]}\u00a0${units[place]}`)
    .join(" ");
}

function told(x) {
  return typeof x === "number" && Number.isFinite(x);
}

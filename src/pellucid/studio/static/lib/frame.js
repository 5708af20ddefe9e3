// What stands around every room: the mark, the navigation, language, colours, the connection, the picker, messages.
import { alerts } from "./alert.js";
import { fill, h } from "./dom.js";
import { icon, mark } from "./icons.js";
import { remember, remembered } from "./memory.js";
import { LANGUAGES, language, t } from "./text.js";

export const ROOMS = ["runs", "filters", "image", "convolution", "mistakes"];

/** Builds the frame in the present language. `on` has what to do: language(name), item(id), and to(room) → its address. */
export function frame(on) {
  const { region, fail, forget, quiet } = alerts();
  const live = h("p", { class: "live", role: "status", dataset: { test: "live" } });
  const title = h("h1", { tabindex: "-1", dataset: { test: "title" } });
  const about = h("p", { class: "about" });
  const picker = h("div", { class: "picker" });
  const actions = h("div", { class: "actions" });
  const room = h("div", { class: "room" });
  const links = ROOMS.map((name) =>
    h("a", { href: on.to(name), dataset: { room: name, test: `room-${name}` } }, icon(name), h("span", {}, t(`shell.room_${name}`))),
  );
  const main = h("main", { id: "main", tabindex: "-1" }, h("header", { class: "head" }, h("div", {}, title, about), h("div", { class: "aside" }, picker, actions)), region, room);
  document.body.replaceChildren(
    h("a", { class: "skip", href: "#main", onclick: (event) => (event.preventDefault(), main.focus()) }, t("shell.skip")),
    h(
      "div",
      { class: "side" },
      h("div", { class: "brand" }, mark(), h("span", {}, "pellucid ", h("small", {}, "studio"))),
      h("nav", { class: "rooms", "aria-label": t("shell.rooms") }, links),
      h("div", { class: "tools" }, live, languages(on), themeSwitch()),
    ),
    main,
  );
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";

  return {
    room,
    actions,
    fail,
    forget,
    quiet,
    focusTitle: () => title.focus({ preventScroll: true }),
    showRoom(name) {
      for (const link of links) {
        link.href = on.to(link.dataset.room);
        if (link.dataset.room === name) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
      fill(title, t(`shell.room_${name}`));
      fill(about, t(`shell.about_${name}`));
    },
    showItems: (items, chosen, shown) => showItems(picker, items, chosen, shown, on.item),
    showLive(state) {
      live.dataset.state = state;
      fill(live, h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "word" }, t(`shell.stream_${state}`)));
    },
  };
}

function languages(on) {
  const buttons = Object.entries(LANGUAGES).map(([name, title]) =>
    h(
      "button",
      {
        type: "button",
        lang: name === "zh" ? "zh-CN" : "en",
        "aria-pressed": name === language(),
        dataset: { test: `language-${name}` },
        onclick: () => name !== language() && on.language(name),
      },
      title,
    ),
  );
  return h("div", { class: "choice languages", role: "group", "aria-label": t("shell.language") }, buttons);
}

function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  dispatchEvent(new Event("pellucid:theme"));
}

let showTheme = null; // the present switch's: the frame is built anew with each language

function themeSwitch() {
  const button = h("button", { type: "button", class: "bare theme", dataset: { test: "theme" } });
  const show = () => {
    button.setAttribute("aria-label", t(isDark() ? "shell.to_light" : "shell.to_dark"));
    button.title = button.getAttribute("aria-label");
    fill(button, icon(isDark() ? "sun" : "moon"));
  };
  button.addEventListener("click", () => {
    const name = isDark() ? "light" : "dark";
    remember("theme", name);
    setTheme(name);
  });
  showTheme = show;
  show();
  return button;
}

addEventListener("pellucid:theme", () => showTheme?.());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
  if (!remembered("theme")) setTheme(matches ? "dark" : "light");
});

/** A list to choose from, rebuilt only when it says something else. */
function showItems(picker, items, chosen, shown, choose) {
  const entries = items.map((item) => [item.id, item.kind, label(item)]);
  const says = JSON.stringify([entries, chosen, shown]);
  if (picker.dataset.says === says) return;
  picker.dataset.says = says;
  if (!shown || !items.length) {
    fill(picker);
    return;
  }
  const group = (kind, title) => {
    const options = entries.filter((entry) => entry[1] === kind);
    const made = options.map(([id, , text]) => h("option", { value: id, selected: id === chosen }, text));
    return options.length > 0 && h("optgroup", { label: t(title) }, made);
  };
  const select = h(
    "select",
    { id: "item", dataset: { test: "item" }, onchange: () => choose(select.value) },
    group("run", "shell.runs_group"),
    group("model", "shell.models_group"),
  );
  const hadFocus = picker.contains(document.activeElement);
  fill(picker, h("label", { for: "item" }, t("shell.looking_at")), select);
  if (hadFocus) select.focus();
}

function label(item) {
  return item.has_model ? item.name : `${item.name} (${t("shell.no_weights_short")})`;
}

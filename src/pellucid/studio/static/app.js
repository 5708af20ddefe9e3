// The shell of the page: which room is shown, on which item, in which language.
//
// A room is a module with `strings`, `needsItem` and `mount(root, app)`, which gives the function that unmounts it.
// What it is handed:
//   app.item        the item that is looked at, as the server last told it; null where there is none
//   app.items()     all of them
//   app.state()     all of GET /api/state
//   app.setItem(id, {remount})   look at another one. remount: false keeps the room as it is
//   app.go(room, id)             go to another room
//   app.place       what the address has behind the item: "#/image/ID/17" → "17"
//   app.actions     a place beside the title, for the room's main buttons
//   app.fail(error, {again})     show an error as a sentence; what was aborted is not shown
//   app.onItems(handler)         called whenever items changed, until the room is unmounted
//   app.signal      aborted when the room is unmounted
//   app.live        whether the server is being heard
import { get } from "./lib/api.js";
import { fill, h } from "./lib/dom.js";
import { frame, ROOMS } from "./lib/frame.js";
import { isLive, subscribe } from "./lib/stream.js";
import { addStrings, setLanguage, t } from "./lib/text.js";
import { strings } from "./lib/words.js";

addStrings(strings);

let state = { items: [], recipes: [], datasets: [], may_train: false, version: "" };
let known = false; // whether the server has told its state yet
let view = null;
let route = null;
let mounted = null; // {controller, unmount, watchers, ready}
let turn = 0;

function parsed(hash) {
  const [room, item, ...rest] = hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { room: ROOMS.includes(room) ? room : "runs", item: item || null, place: rest.join("/") || null };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone % that somebody typed
  }
}

function address({ room, item, place }) {
  return "#/" + [room, item, place].filter((part) => part !== null && part !== undefined).map(encodeURIComponent).join("/");
}

function itemOf(id) {
  return state.items.find((item) => item.id === id) ?? null;
}

/** What to look at where the address does not say: what has weights, the newest first. */
function firstItem() {
  return state.items.find((item) => item.has_model) ?? state.items[0] ?? null;
}

function build() {
  view = frame({
    language(name) {
      setLanguage(name);
      build();
      show({ moved: false });
      document.querySelector(`[data-test="language-${name}"]`).focus();
    },
    item: (id) => (location.hash = address({ ...route, item: id, place: null })),
    to: (room) => address({ room, item: route?.item ?? null }),
  });
  showConnection();
}

function showConnection() {
  view.showLive(isLive() ? "live" : everLive ? "reconnecting" : "connecting");
}

let everLive = false;

async function leave() {
  const last = mounted;
  mounted = null;
  if (!last) return;
  last.controller.abort();
  try {
    await last.unmount?.();
  } catch (error) {
    view.fail(error);
  }
}

/** Shows the room of the address. Only the last of several calls gets to mount. */
async function show({ moved }) {
  const mine = ++turn;
  route = parsed(location.hash);
  view.quiet();
  view.showRoom(route.room);
  await leave();
  if (mine !== turn) return;
  const root = h("div", { class: `room-${route.room}`, "aria-busy": "true", dataset: { test: `in-${route.room}` } });
  fill(view.actions);
  fill(view.room, root);
  if (moved) {
    scrollTo(0, 0);
    view.focusTitle();
  }
  try {
    const room = await roomOf(route.room);
    if (mine === turn) await enter(room, root, mine);
  } catch (error) {
    if (mine === turn) view.fail(error, { again: () => show({ moved: false }) });
  }
  root.removeAttribute("aria-busy");
}

/** The module of a room, with its words added. */
async function roomOf(name) {
  try {
    const room = await import(`./rooms/${name}.js`);
    addStrings(room.strings);
    return room;
  } catch (error) {
    console.error(error);
    throw Object.assign(new Error(t("shell.no_room", { room: t(`shell.room_${name}`) })), { pellucid: true });
  }
}

async function enter(room, root, mine) {
  if (!known) {
    fill(root, h("p", { class: "empty" }, t("shell.opening")));
    return; // shown again when the server has told its state
  }
  if (room.needsItem && !itemOf(route.item)) {
    const first = firstItem();
    if (route.item && first) view.fail(t("shell.gone", { name: route.item }));
    route.item = first?.id ?? null;
    history.replaceState(null, "", address(route));
    view.showRoom(route.room);
  }
  const item = itemOf(route.item);
  document.title = [t(`shell.room_${route.room}`), item?.name, "pellucid studio"].filter(Boolean).join(" · ");
  view.showItems(state.items, route.item, room.needsItem);
  const here = { controller: new AbortController(), watchers: new Set(), unmount: null, needsItem: room.needsItem };
  mounted = here;
  here.ready = !room.needsItem || Boolean(item?.has_model);
  if (!here.ready) {
    fill(root, item ? notYet(item) : nothing());
    return;
  }
  const unmount = await room.mount(root, appFor(here));
  if (mine === turn) here.unmount = unmount;
  else unmount?.();
}

function appFor(here) {
  return {
    get item() {
      return itemOf(route.item);
    },
    get live() {
      return isLive();
    },
    items: () => state.items,
    state: () => state,
    setItem(id, { remount = true } = {}) {
      if (remount) location.hash = address({ ...route, item: id, place: null });
      else {
        route = { ...route, item: id, place: null };
        history.replaceState(null, "", address(route));
        view.showRoom(route.room);
      }
    },
    go: (room, id = route.item) => (location.hash = address({ room, item: id })),
    place: route.place,
    actions: view.actions,
    fail: (error, options) => here === mounted && view.fail(error, options),
    onItems: (handler) => here.watchers.add(handler),
    signal: here.controller.signal,
  };
}

function notYet(item) {
  return h(
    "div",
    { class: "empty", dataset: { test: "no-weights" } },
    h("h2", {}, t("shell.no_weights", { name: item.name })),
    h("p", {}, item.error ?? t("shell.no_weights_how")),
    h("p", {}, h("a", { href: address({ room: "runs", item: item.id }) }, t("shell.to_runs"))),
  );
}

function nothing() {
  return h(
    "div",
    { class: "empty", dataset: { test: "nothing" } },
    h("h2", {}, t("shell.nothing")),
    h("p", {}, t("shell.nothing_how")),
    h("p", {}, h("a", { href: address({ room: "runs" }) }, t("shell.to_runs"))),
  );
}

/** The server's items, as they are now. */
function take(items) {
  const before = itemOf(route.item);
  state = { ...state, items };
  const now = itemOf(route.item);
  if (!mounted) return;
  view.showItems(items, route.item, mounted.needsItem);
  if (before && mounted.needsItem && (!now || now.state === "gone") && before.state !== "gone")
    view.fail(t("shell.gone", { name: before.name }));
  if (mounted.needsItem && !mounted.ready && (now?.has_model || (!now && items.length))) show({ moved: false });
  else for (const handler of [...mounted.watchers]) handler(items);
}

async function refresh() {
  try {
    const told = await get("/api/state");
    const first = !known;
    state = { ...told, items: state.items };
    known = true;
    take(told.items);
    if (first) show({ moved: false });
  } catch (error) {
    view.fail(error, { again: refresh });
  }
}

function changed() {
  const next = parsed(location.hash);
  if (address(next) !== address(route)) show({ moved: next.room !== route.room });
}

addEventListener("hashchange", changed);
addEventListener("error", ({ error, message }) => {
  if (!message.startsWith("ResizeObserver loop")) view?.fail(error ?? message); // that one only says: in the next frame
});
addEventListener("unhandledrejection", ({ reason }) => view?.fail(reason));
subscribe("state", ({ items }) => known && take(items));
subscribe("open", refresh);
subscribe("live", (live) => {
  everLive ||= live;
  if (live) view.forget(t("shell.no_answer"));
  showConnection();
});

route = parsed(location.hash);
build();
show({ moved: false });
refresh();

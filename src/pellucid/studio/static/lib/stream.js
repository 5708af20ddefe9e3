// The server's events, over one connection for all tabs of this browser: browsers allow six to a host.
// One tab leads (it holds a lock) and passes on what it hears; the others take over when it goes.
// Where tabs cannot agree (no locks, or a leader that sleeps), a tab listens for itself.
import { url } from "./api.js";

const EVENTS = ["state", "rows"];
const NAME = "pellucid-events";
const PATIENCE = 4000; // ms for the leader to answer
const AGAIN = [500, 1000, 2000, 5000]; // ms before the next try to connect

const handlers = new Map();
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(NAME);
let source = null;
let tries = 0;
let leading = false;
let connected = null; // null: not known yet
let waiting = null;

/** handler(data) for each event "state" or "rows"; "open" after each (re)connection; "live" with true or false.
 *  Gives the function that ends it. After "open", ask again for what may have been missed. */
export function subscribe(event, handler) {
  if (!handlers.has(event)) handlers.set(event, new Set());
  handlers.get(event).add(handler);
  start();
  return () => handlers.get(event).delete(handler);
}

/** Whether the server is being heard right now. */
export function isLive() {
  return connected === true;
}

function tell(event, data) {
  for (const handler of [...(handlers.get(event) ?? [])]) handler(data);
}

/** Here, and in the other tabs where this one leads. */
function pass(event, data) {
  if (leading) channel?.postMessage({ event, data });
  tell(event, data);
}

function setConnected(value) {
  if (connected === value) return;
  connected = value;
  pass("live", value);
  if (value) pass("open");
}

let started = false;

function start() {
  if (started) return;
  started = true;
  if (!channel || !navigator.locks) {
    connect();
    return;
  }
  channel.addEventListener("message", hear);
  navigator.locks.request(NAME, () => {
    leading = true;
    clearTimeout(waiting);
    connect();
    return new Promise(() => {}); // until this tab goes
  });
  ask();
  setInterval(ask, 20000);
  document.addEventListener("visibilitychange", ask);
}

/** Is there a leader that hears? A tab that nobody looks at need not know. */
function ask() {
  if (leading || document.hidden) return;
  channel.postMessage({ ask: true });
  clearTimeout(waiting);
  waiting = setTimeout(connect, PATIENCE);
}

function hear({ data: message }) {
  if (message.ask) {
    if (leading) channel.postMessage({ event: "live", data: connected === true });
    return;
  }
  if (leading) return;
  clearTimeout(waiting);
  disconnect(); // the leader is awake again
  if (message.event === "live") {
    const news = connected !== message.data;
    connected = message.data;
    if (news) {
      tell("live", connected);
      if (connected) tell("open");
    }
  } else if (message.event !== "open") tell(message.event, message.data);
}

function connect() {
  if (source) return;
  source = new EventSource(url("/api/events"));
  source.addEventListener("open", () => {
    tries = 0;
    setConnected(true);
  });
  for (const event of EVENTS) source.addEventListener(event, ({ data }) => pass(event, JSON.parse(data)));
  source.addEventListener("error", () => {
    disconnect();
    setConnected(false);
    setTimeout(connect, AGAIN[Math.min(tries++, AGAIN.length - 1)]);
  });
}

function disconnect() {
  source?.close();
  source = null;
}

// A page that the browser keeps for "back" would hold the connection and the lock.
addEventListener("pagehide", disconnect);
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
});

/** How many tabs of this browser show the studio: one leads, the others wait for its lock. */
export async function tabs() {
  if (!navigator.locks?.query) return 1;
  const { held = [], pending = [] } = await navigator.locks.query();
  return Math.max(1, [...held, ...pending].filter(({ name }) => name === NAME).length);
}

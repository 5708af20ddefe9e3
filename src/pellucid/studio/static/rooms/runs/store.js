// What is known about the runs that are drawn. It outlives the room: coming back shows everything at once.
import { get } from "../../lib/api.js";
import { remember, remembered } from "../../lib/memory.js";

const MOST_NEW = 2000; // steps that came by the stream; then ask again: the server thins them

export const UNITS = ["steps", "epochs", "minutes"];

const metrics = new Map(); // id → {steps, epochs, loaded}: arrays, and how many steps came at once
const pending = new Map(); // id → rows that came while the metrics were under way
const places = new Map(); // id → its place among the colours, for as long as it is drawn
let firstTime = true;

export const view = {
  unit: UNITS.includes(remembered("unit")) ? remembered("unit") : "epochs",
  setUnit(unit) {
    view.unit = unit;
    remember("unit", unit);
  },
};

/** The ids that are drawn, in the order of their colours. */
export function drawn() {
  return [...places.keys()].sort((a, b) => places.get(a) - places.get(b));
}

/** The place of a run among the colours, or undefined. */
export function placeOf(id) {
  return places.get(id);
}

export function draw(id) {
  if (places.has(id)) return;
  const taken = new Set(places.values());
  let place = 0;
  while (taken.has(place)) place += 1;
  places.set(id, place);
}

export function undraw(id) {
  places.delete(id);
}

/** What to draw before anybody chose: what trains now, what is looked at, else the newest three. */
export function chooseFirst(runs, looked) {
  for (const id of [...places.keys()]) if (!runs.some((run) => run.id === id)) undraw(id);
  if (!firstTime || !runs.length) return;
  firstTime = false;
  const now = runs.filter((run) => run.state === "running" || run.id === looked);
  for (const run of now.length ? now : runs.filter((each) => each.state !== "damaged").slice(0, 3)) draw(run.id);
}

export function metricsOf(id) {
  return metrics.get(id) ?? null;
}

/** Fetches (again) all that the server has of a run. */
export async function load(id, signal) {
  pending.set(id, []);
  try {
    const told = await get(`/api/runs/${encodeURIComponent(id)}/metrics`, { signal });
    metrics.set(id, { steps: told.steps, epochs: told.epochs, loaded: told.steps.step.length });
    const rows = pending.get(id) ?? [];
    pending.delete(id);
    for (const each of rows) append(each);
  } finally {
    pending.delete(id);
  }
}

/** Adds rows of the stream; those that the metrics hold already are left out. Says whether it is time to load again. */
export function append(rows) {
  pending.get(rows.id)?.push(rows);
  const known = metrics.get(rows.id);
  if (!known) return false;
  if (rows.is_new) return true; // the file was rewritten: a run that was resumed, or replaced
  if (rows.is_new) return true; // the run was begun afresh, or cut back to its checkpoint
  const { steps, epochs } = known;
  const lastStep = steps.step.at(-1) ?? -1;
  for (const [step, epoch, loss, rate, speed, time] of rows.steps) {
    if (step <= lastStep) continue;
    put(steps, { step, epoch, loss, learning_rate: rate, images_per_s: speed, time_s: time });
  }
  const lastEpoch = epochs.step.at(-1) ?? -1;
  for (const [epoch, step, train, val, time] of rows.epochs) {
    if (step <= lastEpoch) continue;
    put(epochs, { epoch, step, train_accuracy: train, val_accuracy: val, time_s: time });
  }
  return steps.step.length > known.loaded + MOST_NEW;
}

function put(columns, row) {
  for (const [name, value] of Object.entries(row)) columns[name].push(value);
}

/** Running ones first, then the newest. */
export function inOrder(items) {
  const running = (item) => (item.state === "running" || item.state === "stopping" ? 0 : 1);
  const later = (a, b) => (b.started ?? "").localeCompare(a.started ?? "");
  return items
    .filter((item) => item.kind === "run")
    .sort((a, b) => running(a) - running(b) || later(a, b) || a.name.localeCompare(b.name));
}

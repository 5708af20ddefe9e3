// Talks to the server. Whatever goes wrong arrives as an Error whose message is a sentence that can be shown.
import { eventsOf } from "./events.js";
import { t } from "./text.js";

/** The full address of "/api/…" or "/static/…", also where the studio stands behind a proxy in a subfolder. */
export function url(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI.replace(/#.*$/, "")).href;
}

/** GET, the answer as data. */
export async function get(path, { signal } = {}) {
  const response = await answer(path, { signal });
  return await body(response);
}

/** POST. `body` is plain data (sent as JSON), a Blob or an ArrayBuffer; `contentType` is asked for with bytes. */
export async function post(path, content = {}, { contentType, signal } = {}) {
  const bytes = content instanceof Blob || content instanceof ArrayBuffer || ArrayBuffer.isView(content);
  const headers = { "X-Pellucid": "page" };
  if (content !== null) headers["Content-Type"] = contentType || (bytes && content.type) || kindOf(bytes);
  const sent = content === null ? undefined : bytes ? content : JSON.stringify(content);
  return await body(await answer(path, { method: "POST", headers, body: sent, signal }));
}

/** A long piece of work: `onProgress({done, total})` now and then, the result at the end. Aborting ends the work. */
export async function job(path, { signal, onProgress } = {}) {
  const response = await answer(path, { signal, headers: { Accept: "text/event-stream" } });
  try {
    for await (const { event, data } of eventsOf(response)) {
      const value = JSON.parse(data);
      if (event === "progress") onProgress?.(value);
      else if (event === "result") return value;
      else if (event === "failed") throw sentence(value.error);
    }
  } catch (error) {
    if (error.pellucid || isAbort(error)) throw error;
    throw sentence(t("shell.broken_off"));
  }
  throw sentence(t("shell.broken_off"));
}

/** Whether somebody stopped waiting, which is no error to show. */
export function isAbort(error) {
  return error?.name === "AbortError";
}

function kindOf(bytes) {
  return bytes ? "application/octet-stream" : "application/json";
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(url(path), { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw sentence(t("shell.no_answer"));
  }
  if (response.ok) return response;
  let said = null;
  try {
    said = (await response.json()).error;
  } catch {
    // not from our server, or broken off: the status has to do
  }
  throw sentence(said || t("shell.bad_status", { status: response.status }), response.status);
}

async function body(response) {
  try {
    return await response.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw sentence(t("shell.broken_off"));
  }
}

function sentence(text, status = null) {
  return Object.assign(new Error(text.replace(/^studio: /, "")), { status, pellucid: true }); // who else would say it
}

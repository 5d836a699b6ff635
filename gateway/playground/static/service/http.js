/** HTTP with the gateway that this page came from: patient with what passes, and never with another host. */

import { TransportError } from "./errors.js";

const PASSING = new Set([429, 502, 503, 504]);
const ATTEMPTS = 4;
const FIRST_DELAY_SECONDS = 0.25;
const LONGEST_DELAY_SECONDS = 30;
const FIRST_POLL_SECONDS = 0.2;
const LONGEST_POLL_SECONDS = 2;
const POLL_GROWTH = 1.5;
const EVENTS = "text/event-stream";
const RESULT_PATH = /\/r\/[^/]+\/\d+\/[^/]+\/\d+\/[^/]+$/;

/** The gateway: where the page lies, with a prefix that a proxy may have put in front. */
export const API = new URL("./", document.baseURI);

/**
 * Sends JSON, again while it meets what passes.
 *
 * @param {URL} url
 * @param {{headers?: Record<string, string>, body: BodyInit, signal?: AbortSignal, onSent?: (part: number) => void}}
 *   request `onSent` is told how much of a large body is sent, 0 to 1
 * @returns {Promise<{status: number, answer: any}>} the answer is null where it is no JSON
 */
export async function post(url, { headers = {}, body, signal, onSent }) {
  const options = { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body, signal };
  const send = onSent ? () => upload(url, options, onSent) : undefined;
  const response = await persistently(url, options, send);
  return { status: response.status, answer: await response.json().catch(() => null) };
}

/**
 * Asks until there is an answer. A service that holds its answers back is asked again at once; one that is too busy
 * for that ever less often.
 *
 * @template T
 * @param {() => Promise<T | undefined>} ask
 * @param {number} heldSeconds how long an answer is held back
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export async function polled(ask, heldSeconds, signal) {
  for (let pauseSeconds = FIRST_POLL_SECONDS; ; ) {
    const askedAtMs = performance.now();
    const found = await ask();
    if (found !== undefined) return found;
    if (performance.now() - askedAtMs >= heldSeconds * 1000) continue;
    await pause(pauseSeconds, signal);
    pauseSeconds = Math.min(pauseSeconds * POLL_GROWTH, LONGEST_POLL_SECONDS);
  }
}

/**
 * Listens to what the service says while it happens.
 *
 * @template T
 * @param {URL} url
 * @param {BodyInit} body
 * @param {(data: any) => T | undefined} onEvent gives what ends the listening
 * @param {AbortSignal} signal
 * @returns {Promise<{found?: T, hasEvents: boolean}>} nothing is found where the events end before, or the service has
 *   none, or the connection breaks
 */
export async function listened(url, body, onEvent, signal) {
  let hasEvents = false;
  try {
    const headers = { "Content-Type": "application/json", Accept: EVENTS };
    const response = await fetch(url, { method: "POST", headers, body, signal, cache: "no-store" });
    hasEvents = Boolean(response.headers.get("Content-Type")?.startsWith(EVENTS));
    if (!hasEvents) await response.body?.cancel();
    else for await (const data of events(response.body)) {
      const found = onEvent(data);
      if (found !== undefined) return { found, hasEvents };
    }
  } catch {
    signal.throwIfAborted();
    return { hasEvents: false };
  }
  return { hasEvents };
}

/** The data of each event. Leaving the loop ends the connection. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = /** @type {string} */ (blocks.pop());
      for (const block of blocks) {
        const data = Array.from(block.matchAll(/^data: ?(.*)$/gm), ([, line]) => line).join("\n");
        if (data) yield JSON.parse(data);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Fetches a result.
 *
 * @param {string} address as the service gave it
 * @param {AbortSignal} [signal]
 * @returns {Promise<{blob: Blob, subjectFound: boolean, confidence: number | null}>} null where the service does not say
 */
export async function download(address, signal) {
  const response = await persistently(resultUrl(address), { signal });
  if (!response.ok) throw new TransportError(`HTTP ${response.status} for the result`, response.status);
  const { headers } = response;
  const confidence = headers.has("Cutgate-Confidence") ? Number(headers.get("Cutgate-Confidence")) : null;
  return { blob: await response.blob(), subjectFound: headers.get("Cutgate-Subject") !== "none", confidence };
}

/**
 * Where this page may fetch a result: the gateway may name itself by another host, or behind another prefix, and
 * the page speaks to its own origin only. The signed path is the same everywhere.
 *
 * @param {string} address
 * @returns {URL}
 */
export function resultUrl(address) {
  const [path] = RESULT_PATH.exec(new URL(address, API).pathname) ?? [];
  if (!path) throw new TransportError("the address of the result is not of this gateway's form");
  return new URL(`.${path}`, API);
}

/** A random UUID; the browser's own is for secure pages only. */
export function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * Sends a request again while it meets what passes.
 *
 * @param {URL} url
 * @param {RequestInit} options
 * @param {() => Promise<Response>} [send]
 * @returns {Promise<Response>}
 */
async function persistently(url, options, send = () => fetch(url, { cache: "no-store", ...options })) {
  for (let attempt = 1; ; attempt += 1) {
    let response;
    let reason = "";
    try {
      response = await send();
      if (!PASSING.has(response.status)) return response;
    } catch (error) {
      if (options.signal?.aborted) throw error;
      reason = error.message;
    }
    const delaySeconds = retryAfterSeconds(response) ?? FIRST_DELAY_SECONDS * 2 ** (attempt - 1);
    if (attempt === ATTEMPTS || delaySeconds > LONGEST_DELAY_SECONDS) {
      if (response) return response;
      throw new TransportError(`no answer from ${url.host}: ${reason}`);
    }
    await pause(delaySeconds, options.signal);
  }
}

/**
 * `fetch` for a large body: that one does not tell how much of it is sent.
 *
 * @param {URL} url
 * @param {RequestInit} options
 * @param {(part: number) => void} onSent
 * @returns {Promise<Response>}
 */
function upload(url, { method, headers, body, signal }, onSent) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => onSent(loaded / total));
    request.addEventListener("load", () => {
      const retryAfter = request.getResponseHeader("Retry-After");
      const answered = retryAfter ? { "Retry-After": retryAfter } : {};
      resolve(new Response(request.responseText || null, { status: request.status, headers: answered }));
    });
    request.addEventListener("error", () => reject(new TypeError("Failed to fetch")));
    request.addEventListener("abort", () => reject(signal.reason));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

/**
 * @param {Response | undefined} response
 * @returns {number | undefined}
 */
function retryAfterSeconds(response) {
  const text = response?.headers.get("Retry-After") ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}

/**
 * @param {number} seconds
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<void>}
 */
async function pause(seconds, signal) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}

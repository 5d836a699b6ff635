/** Speaks PICPIK's protocol with the gateway that this page came from, as one account. */

import { ServiceError, TransportError } from "./errors.js";
import { sign, signInSlices } from "./signature.js";

const PASSING = new Set([429, 502, 503, 504]);
const ATTEMPTS = 4;
const FIRST_DELAY_SECONDS = 0.25;
const LONGEST_DELAY_SECONDS = 30;
const WAIT_SECONDS = 2;
const FIRST_POLL_SECONDS = 0.2;
const LONGEST_POLL_SECONDS = 2;
const POLL_GROWTH = 1.5;
const RESULT_PATH = /\/r\/[^/]+\/\d+\/[^/]+\/\d+\/[^/]+$/;

/** The gateway: where the page lies, with a prefix that a proxy may have put in front. */
export const API = new URL("./", document.baseURI);

/**
 * @typedef {object} Task a task as `ListTasksDetails` shows it
 * @property {"Queuing" | "Running" | "Finished" | "Error"} Status
 * @property {string[]} ImgList
 * @property {number} ErrorCode
 * @property {string} ErrorMessage
 */

export class Client {
  #publicKey;
  #privateKey;

  /**
   * @param {string} publicKey names the account
   * @param {string} privateKey signs; it is no part of any request
   */
  constructor(publicKey, privateKey) {
    this.#publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  /**
   * The body of a request that may hold a large picture.
   *
   * @param {string} action
   * @param {Record<string, unknown>} fields
   * @returns {Promise<Record<string, unknown>>}
   */
  async signed(action, fields) {
    const params = this.#params(action, fields);
    return { ...params, Signature: await signInSlices(params, this.#privateKey) };
  }

  /**
   * Sends a signed body; a repeat is the same request, by which the service knows it and does no work twice.
   *
   * @param {BodyInit} body
   * @param {AbortSignal} [signal]
   * @returns {Promise<Record<string, any>>} the answer of a success
   */
  async send(body, signal) {
    const response = await persistently(API, { method: "POST", headers: JSON_HEADERS, body, signal });
    const answer = await response.json().catch(() => null);
    if (typeof answer?.RetCode !== "number") {
      throw new TransportError(`HTTP ${response.status} with a body that is not the protocol's`);
    }
    if (answer.RetCode !== 0) throw new ServiceError(answer.RetCode, answer.Message, answer.Detail);
    return answer;
  }

  /** @returns {Promise<{total: number, used: number}>} the account's credits */
  async balance() {
    const answer = await this.#call("GetCreditBalance", {});
    return { total: answer.TotalCredits, used: answer.UsedCredits };
  }

  /**
   * Asks until the task has ended. The service holds its answer back for a while; where it is too busy for that,
   * it is asked ever less often.
   *
   * @param {string} uid
   * @param {(task: Task) => void} onProgress told of each answer
   * @param {AbortSignal} signal
   * @returns {Promise<Task>}
   */
  async waitFor(uid, onProgress, signal) {
    for (let pauseSeconds = FIRST_POLL_SECONDS; ; ) {
      const askedAtMs = performance.now();
      const fields = { TaskUIDList: [uid], WaitSeconds: WAIT_SECONDS };
      const { TaskDetailList } = await this.#call("ListTasksDetails", fields, signal);
      const [task] = TaskDetailList;
      onProgress(task);
      if (task.Status === "Finished") return task;
      if (task.Status === "Error") throw new ServiceError(task.ErrorCode, task.ErrorMessage);
      if (performance.now() - askedAtMs >= WAIT_SECONDS * 1000) continue;
      await pause(pauseSeconds, signal);
      pauseSeconds = Math.min(pauseSeconds * POLL_GROWTH, LONGEST_POLL_SECONDS);
    }
  }

  /**
   * Ends a task.
   *
   * @param {string} uid
   */
  async terminate(uid) {
    await this.#call("TerminateTask", { TaskUID: uid });
  }

  /**
   * Ends a task while the page is being left: nobody hears the answer.
   *
   * @param {string} uid
   */
  abandon(uid) {
    const body = this.#smallBody("TerminateTask", { TaskUID: uid });
    fetch(API, { method: "POST", headers: JSON_HEADERS, body, keepalive: true }).catch(() => {});
  }

  #params(action, fields) {
    return { request_uuid: randomUuid(), ...fields, Action: action, PublicKey: this.#publicKey };
  }

  #smallBody(action, fields) {
    const params = this.#params(action, fields);
    return JSON.stringify({ ...params, Signature: sign(params, this.#privateKey) });
  }

  #call(action, fields, signal) {
    return this.send(this.#smallBody(action, fields), signal);
  }
}

const JSON_HEADERS = { "Content-Type": "application/json" };

/**
 * Fetches a result.
 *
 * @param {string} address as the service gave it
 * @param {AbortSignal} [signal]
 * @returns {Promise<{blob: Blob, subjectFound: boolean}>}
 */
export async function download(address, signal) {
  const response = await persistently(resultUrl(address), { signal });
  if (!response.ok) throw new TransportError(`HTTP ${response.status} for the result`);
  return { blob: await response.blob(), subjectFound: response.headers.get("Cutgate-Subject") !== "none" };
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

/**
 * Sends a request again while it meets what passes.
 *
 * @param {URL} url
 * @param {RequestInit} options
 * @returns {Promise<Response>}
 */
async function persistently(url, options) {
  for (let attempt = 1; ; attempt += 1) {
    let response;
    let reason = "";
    try {
      response = await fetch(url, { cache: "no-store", ...options });
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

/** A random UUID; the browser's own is for secure pages only. */
function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

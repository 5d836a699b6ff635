/** Runware's protocol: tasks sent with an API key. It has no Box, no hair optimization and no end before the end. */

import { fileCommand, prepared } from "./curl.js";
import { ServiceError, TransportError } from "./errors.js";
import { API, polled, post, randomUuid } from "./http.js";

const ENDPOINT = new URL("v1", API);
const FILE_ENDPOINT = new URL("v1.0/removebg", API);
const HELD_SECONDS = 1;
/** The protocol's least threshold and erode size. */
const LEAST = 1;

/** @implements {import("./client.js").Client} */
export class RunwareClient {
  canRefine = false;
  #headers;

  /** @param {string} apiKey */
  constructor(apiKey) {
    this.#headers = { Authorization: `Bearer ${apiKey}` };
  }

  async prepare(picture, { foreground, background, erode, onlyMask, fillHoles }) {
    const settings = {
      returnOnlyMask: onlyMask,
      alphaMatting: true,
      alphaMattingForegroundThreshold: Math.max(LEAST, foreground),
      alphaMattingBackgroundThreshold: Math.max(LEAST, background),
      alphaMattingErodeSize: Math.max(LEAST, erode),
      holes: fillHoles ? "fill" : "keep",
    };
    const options = { outputFormat: "PNG", deliveryMethod: "async", settings };
    const task = { taskType: "removeBackground", taskUUID: randomUuid(), inputs: { image: picture }, ...options };
    const request = prepared(ENDPOINT, [task], "Authorization: Bearer $CUTGATE_API_KEY");
    return { ...request, fileCommand: fileCommand(FILE_ENDPOINT, onlyMask) };
  }

  async submit({ bytes }, onSent, signal) {
    return (await this.#send(bytes, signal, onSent)).taskUUID;
  }

  waitFor(task, tell, signal) {
    const ask = async () => {
      const { status, imageURL } = await this.#call({ taskType: "getResponse", taskUUID: task }, signal);
      tell("Cutting out…");
      return status === "processing" ? undefined : imageURL;
    };
    return polled(ask, HELD_SECONDS, signal);
  }

  async terminate() {}

  abandon() {}

  async balance() {
    const { usage } = await this.#call({ taskType: "accountManagement", operation: "getDetails" });
    return { used: usage.usedCredits, left: usage.availableCredits ?? null };
  }

  #call(task, signal) {
    return this.#send(JSON.stringify([{ taskUUID: randomUuid(), ...task }]), signal);
  }

  /**
   * @param {BodyInit} body of one task
   * @param {AbortSignal} [signal]
   * @param {(part: number) => void} [onSent]
   * @returns {Promise<Record<string, any>>} its item
   */
  async #send(body, signal, onSent) {
    const { status, answer } = await post(ENDPOINT, { headers: this.#headers, body, signal, onSent });
    const [error] = answer?.errors ?? [];
    if (error) throw new ServiceError(error.code, error.message);
    const [item] = answer?.data ?? [];
    if (!item) throw new TransportError(`HTTP ${status} with a body that is not the protocol's`, status);
    return item;
  }
}

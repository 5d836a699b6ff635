/** One picture's way through the service. */

import { download } from "../service/picpik.js";

const STATES = { Queuing: "Waiting for a worker…", Running: "Cutting out…", Finished: "Fetching the result…" };

export class Job {
  #client;
  #uid = "";
  #abort = new AbortController();

  /** @param {import("../service/picpik.js").Client} client */
  constructor(client) {
    this.#client = client;
  }

  get isCancelled() {
    return this.#abort.signal.aborted;
  }

  /**
   * @param {import("../photos/photo.js").Photo} photo
   * @param {Record<string, unknown>} fields
   * @param {{tell: (text: string) => void, sent: (body: Record<string, unknown>, bytes: Blob) => void}} watcher
   * @returns {Promise<{blob: Blob, subjectFound: boolean}>}
   */
  async run(photo, fields, { tell, sent }) {
    const { signal } = this.#abort;
    tell("Reading and signing…");
    const body = await this.#client.signed("RemoveBackground", { RawImage: await photo.dataUri(), ...fields });
    const bytes = new Blob([JSON.stringify(body)], { type: "application/json" });
    sent(body, bytes);
    signal.throwIfAborted();
    tell(`Sending ${megabytes(bytes.size)}…`);
    const { TaskUID } = await this.#client.send(bytes, signal);
    this.#uid = TaskUID;
    tell(STATES.Queuing);
    const task = await this.#client.waitFor(TaskUID, ({ Status }) => tell(STATES[Status] ?? Status), signal);
    this.#uid = "";
    return download(task.ImgList[0], signal);
  }

  /** Stops waiting, and has the service stop too. */
  async cancel() {
    this.#abort.abort();
    if (this.#uid) await this.#client.terminate(this.#uid);
  }

  /** The same for a page that is being left. */
  abandon() {
    if (this.#uid) this.#client.abandon(this.#uid);
  }
}

/** @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 1)} MiB`;
}

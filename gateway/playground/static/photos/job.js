/** One photo's way through the service. */

import { LocalError } from "../service/errors.js";
import { download } from "../service/http.js";
import { draw } from "./thumbnail.js";

export class Job {
  #client;
  #photo;
  #onChange;
  #task = "";
  #abort = new AbortController();

  /**
   * @param {import("../service/client.js").Client} client
   * @param {import("./photo.js").Photo} photo
   * @param {() => void} onChange told of each step
   */
  constructor(client, photo, onChange) {
    this.#client = client;
    this.#photo = photo;
    this.#onChange = onChange;
  }

  get isCancelled() {
    return this.#abort.signal.aborted;
  }

  /** @returns {Promise<import("./photo.js").Result>} */
  async run() {
    const { signal } = this.#abort;
    const [photo, client] = [this.#photo, this.#client];
    const [settings, box] = [photo.settings.current, photo.box];
    this.#tell("Reading and signing…");
    photo.request = await client.prepare(await photo.dataUri(), settings, box);
    signal.throwIfAborted();
    const amount = megabytes(photo.request.bytes.size);
    const sent = (part) => this.#tell(`Sending ${amount}… ${Math.floor(part * 10) * 10} %`, part);
    sent(0);
    this.#task = await client.submit(photo.request, sent, signal);
    this.#tell("Waiting for a worker…");
    const address = await client.waitFor(this.#task, () => this.#tell("Cutting out…"), signal);
    this.#task = "";
    this.#tell("Fetching the result…");
    const { blob, subjectFound } = await download(address, signal);
    const size = await draw(photo.thumbnail, blob);
    if (!size) throw new LocalError("The result cannot be shown", "try again");
    return { blob, url: URL.createObjectURL(blob), size, subjectFound, settings, box };
  }

  /** Stops waiting, and has the service stop too. */
  async cancel() {
    this.#abort.abort();
    if (this.#task) await this.#client.terminate(this.#task);
  }

  /** The same for a page that is being left. */
  abandon() {
    if (this.#task) this.#client.abandon(this.#task);
  }

  /** In steps that a screen reader has the time to say. */
  #tell(progress, sentPart = null) {
    [this.#photo.progress, this.#photo.sentPart] = [progress, sentPart];
    this.#photo.state = "working";
    this.#onChange();
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 1)} MiB`;
}

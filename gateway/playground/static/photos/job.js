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
    const base = this.#client.canRefine ? this.#photo.base : null;
    return base ? this.#refine(base, this.#photo.edit) : this.#cut(this.#photo.edit);
  }

  /** Strokes come afterwards. */
  async #cut({ settings, box }) {
    const { signal } = this.#abort;
    const [photo, client] = [this.#photo, this.#client];
    const edit = photo.edit.with({ strokes: [] });
    this.#tell("Reading and signing…");
    photo.request = await client.prepare(await photo.dataUri(), settings, box);
    signal.throwIfAborted();
    const amount = megabytes(photo.request.bytes.size);
    const sent = (part) => this.#tell(`Sending ${amount}… ${Math.floor(part * 10) * 10} %`, part);
    sent(0);
    this.#task = await client.submit(photo.request, sent, signal);
    this.#tell("Waiting for a worker…");
    return this.#fetched(edit, (progress) => this.#tell(progress));
  }

  /** Goes on from a result by as many strokes as one request holds: those of one kind and one size. */
  async #refine(base, edit) {
    this.#tell("Correcting…");
    const done = base.edit.strokes.length;
    const { kind, radiusPx } = edit.strokes[done] ?? {};
    const end = edit.strokes.findIndex((other, at) => at > done && (other.kind !== kind || other.radiusPx !== radiusPx));
    const strokes = edit.strokes.slice(0, end < 0 ? undefined : end);
    const lines = { keep: [], remove: [] };
    for (const stroke of strokes.slice(done)) lines[stroke.kind].push(stroke.points);
    try {
      const correction = { settings: edit.settings, ...lines, radiusPx };
      this.#task = await this.#client.refine(base.task, correction, this.#abort.signal);
      const result = await this.#fetched(edit.with({ strokes }), () => {});
      return { ...result, confidence: result.confidence ?? base.confidence };
    } catch (error) {
      if (error.isGone) this.#photo.forgetTasks();
      throw error;
    }
  }

  /** @param {import("./edit.js").Edit} edit that the task is of */
  async #fetched(edit, tell) {
    const { signal } = this.#abort;
    const task = this.#task;
    const address = await this.#client.waitFor(task, tell, signal);
    this.#task = "";
    tell("Fetching the result…");
    const answer = await download(address, signal);
    const size = await draw(this.#photo.thumbnail, answer.blob);
    if (!size) throw new LocalError("The result cannot be shown", "try again");
    return { ...answer, url: URL.createObjectURL(answer.blob), size, edit, task };
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

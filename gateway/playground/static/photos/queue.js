/** Cuts photos out, a few at a time. */

import { Job } from "./job.js";

/** More at once would only wait in the service's queue, and take other visitors' turns. */
const AT_ONCE = 3;

/** @typedef {import("./photo.js").Photo} Photo */

export class Queue {
  /** @type {Photo[]} */
  #waiting = [];
  /** @type {Map<Photo, Job>} */
  #jobs = new Map();
  /** @type {import("../service/client.js").Client | null} */
  #client = null;
  #onChange;
  #onProblem;

  /**
   * @param {() => void} onChange
   * @param {(error: unknown) => void} onProblem told of what keeps every photo from being cut out
   */
  constructor(onChange, onProblem) {
    this.#onChange = onChange;
    this.#onProblem = onProblem;
  }

  get isBusy() {
    return this.#jobs.size > 0 || this.#waiting.length > 0;
  }

  /**
   * @param {readonly Photo[]} photos
   * @param {import("../service/client.js").Client} client
   */
  add(photos, client) {
    this.#client = client;
    for (const photo of photos) {
      photo.error = null;
      photo.progress = "Waiting…";
      photo.state = "waiting";
    }
    this.#waiting.push(...photos);
    this.#next();
  }

  /** Stops everything, here and in the service. */
  async cancel() {
    this.#dropWaiting();
    await Promise.all(Array.from(this.#jobs.values(), (job) => job.cancel()));
  }

  /**
   * Stops one that is taken away.
   *
   * @param {Photo} photo
   */
  async drop(photo) {
    this.#waiting = this.#waiting.filter((other) => other !== photo);
    await this.#jobs.get(photo)?.cancel();
  }

  /** Ends the tasks of a page that is being left. */
  abandon() {
    for (const job of this.#jobs.values()) job.abandon();
  }

  #next() {
    while (this.#jobs.size < AT_ONCE && this.#waiting.length > 0) this.#run(this.#waiting.shift());
    this.#onChange();
  }

  /** @param {Photo} photo */
  async #run(photo) {
    const job = new Job(this.#client, photo, this.#onChange);
    this.#jobs.set(photo, job);
    try {
      do photo.finish(await job.run());
      while (this.#client.canRefine && photo.isChanged && photo.base);
    } catch (error) {
      if (job.isCancelled) photo.rest();
      else if (error.concernsAll) this.#stop(photo, error);
      else photo.fail(error);
    } finally {
      this.#jobs.delete(photo);
      this.#next();
    }
  }

  #stop(photo, error) {
    photo.rest();
    this.#dropWaiting();
    this.#onProblem(error);
  }

  #dropWaiting() {
    for (const photo of this.#waiting.splice(0)) photo.rest();
  }
}

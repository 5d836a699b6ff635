/** What was asked for in one go, and what came of it, in words. */

/** @typedef {import("./photo.js").Photo} Photo */

export class Run {
  /** Each with the result that it had before. @type {Map<Photo, import("./photo.js").Result | null>} */
  #photos = new Map();
  #startedAtMs = 0;
  #isCancelled = false;
  /** Whether photos are cut out, rather than results corrected. */
  isCut = false;

  get isOver() {
    return this.#photos.size === 0;
  }

  /**
   * @param {readonly Photo[]} photos join those that are at work
   * @param {boolean} isCut
   */
  add(photos, isCut) {
    if (this.isOver) [this.#startedAtMs, this.#isCancelled, this.isCut] = [performance.now(), false, false];
    this.isCut ||= isCut;
    for (const photo of photos) this.#photos.set(photo, photo.result);
  }

  /** @param {Photo} photo */
  forget(photo) {
    this.#photos.delete(photo);
  }

  cancel() {
    this.#isCancelled = true;
  }

  end() {
    this.#photos.clear();
  }

  get lastDone() {
    return [...this.#photos.keys()].findLast((photo) => photo.state === "done");
  }

  /** How far it is, out of how much; no value where one photo is being cut out, which takes as long as it takes. */
  get measure() {
    const photos = [...this.#photos.keys()];
    if (photos.length === 1) return { value: photos[0].sentPart, max: 1 };
    return { value: this.#rested(photos), max: photos.length };
  }

  get progress() {
    if (this.#isCancelled) return "Cancelling…";
    const photos = [...this.#photos.keys()];
    if (photos.length === 1) return photos[0].progress;
    return `Cutting out: ${this.#rested(photos)} of ${photos.length} done.`;
  }

  #rested(photos) {
    return photos.filter((photo) => !photo.isBusy).length;
  }

  get summary() {
    if (this.#isCancelled) return "Cancelled.";
    // One that was stopped rests with the result that it had.
    const states = Array.from(this.#photos, ([{ state, result }, before]) =>
      state === "failed" || result !== before ? state : "new",
    );
    const count = (state) => states.filter((other) => other === state).length;
    const [done, empty, failed] = ["done", "empty", "failed"].map(count);
    if (done + empty === 0) return this.isCut ? "Nothing was cut out." : "Not corrected.";
    const seconds = ((performance.now() - this.#startedAtMs) / 1000).toFixed(1);
    if (!this.isCut) return `Corrected in ${seconds} s.`;
    if (states.length === 1) return empty ? "Done, but no subject was found in this picture." : `Done in ${seconds} s.`;
    const notes = [empty && `${empty} without a subject`, failed && `${failed} failed`].filter(Boolean);
    return [`Done: ${done + empty} of ${states.length} in ${seconds} s`, ...notes].join(", ") + ".";
  }
}

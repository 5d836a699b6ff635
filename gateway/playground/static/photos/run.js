/** What was asked for in one go, and what came of it, in words. */

/** @typedef {import("./photo.js").Photo} Photo */

export class Run {
  /** @type {Set<Photo>} */
  #photos = new Set();
  #startedAtMs = 0;
  #isCancelled = false;

  get isOver() {
    return this.#photos.size === 0;
  }

  /** @param {readonly Photo[]} photos join those that are at work */
  add(photos) {
    if (this.isOver) [this.#startedAtMs, this.#isCancelled] = [performance.now(), false];
    for (const photo of photos) this.#photos.add(photo);
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

  get progress() {
    if (this.#isCancelled) return "Cancelling…";
    const photos = [...this.#photos];
    if (photos.length === 1) return photos[0].progress;
    return `Cutting out: ${photos.filter((photo) => !photo.isBusy).length} of ${photos.length} done.`;
  }

  get summary() {
    if (this.#isCancelled) return "Cancelled.";
    const states = Array.from(this.#photos, (photo) => photo.state);
    const count = (state) => states.filter((other) => other === state).length;
    const [done, empty, failed] = ["done", "empty", "failed"].map(count);
    if (done + empty === 0) return "Nothing was cut out.";
    const seconds = ((performance.now() - this.#startedAtMs) / 1000).toFixed(1);
    if (states.length === 1) return empty ? "Done, but no subject was found in this picture." : `Done in ${seconds} s.`;
    const notes = [empty && `${empty} without a subject`, failed && `${failed} failed`].filter(Boolean);
    return [`Done: ${done + empty} of ${states.length} in ${seconds} s`, ...notes].join(", ") + ".";
  }
}

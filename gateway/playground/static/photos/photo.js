/** A photo that the visitor chose, and what has become of it. */

import { LocalError } from "../service/errors.js";
import { History } from "./edit.js";
import { draw, pictureOf } from "./thumbnail.js";

/** Results of one photo at most: more are made again if somebody goes back to them. */
const KEPT = 20;
/** From this confidence on, nobody has to look at a result. */
const SURE_FROM = 0.6;

/** @typedef {import("./edit.js").Edit} Edit */
/** @typedef {"new" | "waiting" | "working" | "done" | "empty" | "failed"} State empty: done, without a subject */

/**
 * @typedef {object} Result
 * @property {Blob} blob a PNG as the service made it
 * @property {string} url of it in memory
 * @property {{widthPx: number, heightPx: number}} size
 * @property {boolean} subjectFound
 * @property {number | null} confidence from 0 to 1; null where the service does not say
 * @property {Edit} edit that it is of
 * @property {string} task that made it; empty once the service has forgotten it
 */

export class Photo {
  /** @type {State} */
  state = "new";
  /** What it does while it is at work, in words. */
  progress = "";
  /** How much of the request is sent, 0 to 1; null while it is not being sent. @type {number | null} */
  sentPart = null;
  /** That is shown: the one that is wanted, or until there is one, the one before. @type {Result | null} */
  result = null;
  /** By their edits. @type {Map<string, Result>} */
  #results = new Map();
  /** @type {any} why it has failed */
  error = null;
  /** @type {import("../service/client.js").PreparedRequest | null} the last one that was sent */
  request = null;

  /**
   * @param {File} file
   * @param {{widthPx: number, heightPx: number} | null} size upright, as EXIF says; null where the browser cannot
   *   show the file
   * @param {HTMLCanvasElement} thumbnail
   * @param {Edit} edit
   */
  constructor(file, size, thumbnail, edit) {
    this.file = file;
    this.url = URL.createObjectURL(file);
    this.size = size;
    this.thumbnail = thumbnail;
    this.edits = new History(edit);
  }

  /**
   * @param {File} file
   * @param {Edit} edit
   * @returns {Promise<Photo>}
   */
  static async open(file, edit) {
    const { size, thumbnail } = await pictureOf(file);
    return new Photo(file, size, thumbnail, edit);
  }

  get name() {
    return this.file.name;
  }

  /** What is wanted. */
  get edit() {
    return this.edits.current;
  }

  get isBusy() {
    return this.state === "waiting" || this.state === "working";
  }

  /** Whether there is a result, but of another edit than the one that is wanted. */
  get isChanged() {
    return this.result !== null && this.result.edit.key !== this.edit.key;
  }

  /** Whether somebody should look at it: the service doubts it, and nobody has corrected it. */
  get isDoubtful() {
    if (this.state !== "done" && this.state !== "empty") return false;
    const { confidence, edit } = /** @type {Result} */ (this.result);
    return edit.strokes.length === 0 && confidence !== null && confidence < SURE_FROM;
  }

  /** The result that leads to the wanted one by the fewest strokes. @returns {Result | null} */
  get base() {
    const fitting = [...this.#results.values()].filter(({ task, edit }) => task && this.edit.comesFrom(edit));
    fitting.sort((one, other) => other.edit.strokes.length - one.edit.strokes.length);
    return fitting[0] ?? null;
  }

  /** @param {Result} result of what is wanted now, or was when it was begun */
  finish(result) {
    this.#results.set(result.edit.key, result);
    this.result = result;
    this.error = null;
    this.#recall();
    this.#forgetSome();
    this.rest();
  }

  /** Nothing is at work on it any more; what it had, it still has. */
  rest() {
    this.state = !this.result ? "new" : this.result.subjectFound ? "done" : "empty";
  }

  /** Shows what is wanted at once where it was made before. */
  recall() {
    if (!this.#recall() || this.isBusy) return;
    this.error = null;
    this.rest();
  }

  /** The service does not have its tasks any more. */
  forgetTasks() {
    for (const result of this.#results.values()) result.task = "";
  }

  #recall() {
    const wanted = this.#results.get(this.edit.key);
    if (wanted && wanted !== this.result) {
      this.result = wanted;
      draw(this.thumbnail, wanted.blob);
    }
    return Boolean(wanted);
  }

  /** The first one stays: all others can be made of it. */
  #forgetSome() {
    const [, ...later] = this.#results.values();
    for (const result of later.filter((other) => other !== this.result).slice(0, -KEPT)) {
      this.#results.delete(result.edit.key);
      URL.revokeObjectURL(result.url);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.error = error;
    this.state = "failed";
  }

  /**
   * The file in Base64, made by the browser outside of this page's turn.
   *
   * @returns {Promise<string>} a data URI
   */
  dataUri() {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(/** @type {string} */ (reader.result));
      reader.onerror = () => reject(new LocalError(`${this.name} cannot be read`, "choose the file once more"));
      reader.readAsDataURL(this.file);
    });
  }

  /** Gives the memory back. */
  close() {
    URL.revokeObjectURL(this.url);
    for (const { url } of this.#results.values()) URL.revokeObjectURL(url);
  }
}

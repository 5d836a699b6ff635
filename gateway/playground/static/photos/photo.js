/** A photo that the visitor chose, and what has become of it. */

import { LocalError } from "../service/errors.js";
import { History } from "./history.js";
import { pictureOf } from "./thumbnail.js";

/** @typedef {import("../service/client.js").Settings} Settings */
/** @typedef {"new" | "waiting" | "working" | "done" | "empty" | "failed"} State empty: done, without a subject */

/**
 * @typedef {object} Result
 * @property {Blob} blob a PNG as the service made it
 * @property {string} url of it in memory
 * @property {{widthPx: number, heightPx: number}} size
 * @property {boolean} subjectFound
 * @property {Settings} settings that it was made with
 * @property {import("../stage/box.js").Box | null} box
 */

export class Photo {
  /** @type {State} */
  state = "new";
  /** What it does while it is at work, in words. */
  progress = "";
  /** How much of the request is sent, 0 to 1; null while it is not being sent. @type {number | null} */
  sentPart = null;
  /** @type {History<import("../stage/box.js").Box | null>} */
  boxes = new History(null);
  /** @type {Result | null} */
  result = null;
  /** @type {any} why it has failed */
  error = null;
  /** @type {import("../service/client.js").PreparedRequest | null} the last one that was sent */
  request = null;

  /**
   * @param {File} file
   * @param {{widthPx: number, heightPx: number} | null} size upright, as EXIF says; null where the browser cannot
   *   show the file
   * @param {HTMLCanvasElement} thumbnail
   * @param {History<Settings>} settings
   */
  constructor(file, size, thumbnail, settings) {
    this.file = file;
    this.url = URL.createObjectURL(file);
    this.size = size;
    this.thumbnail = thumbnail;
    this.settings = settings;
  }

  /**
   * @param {File} file
   * @param {History<Settings>} settings
   * @returns {Promise<Photo>}
   */
  static async open(file, settings) {
    const { size, thumbnail } = await pictureOf(file);
    return new Photo(file, size, thumbnail, settings);
  }

  get name() {
    return this.file.name;
  }

  get box() {
    return this.boxes.current;
  }

  get isBusy() {
    return this.state === "waiting" || this.state === "working";
  }

  /** Whether there is a result that was made with other settings than those that are set now. */
  get isChanged() {
    if (!this.result) return false;
    const { settings, box } = this.result;
    return JSON.stringify([settings, box]) !== JSON.stringify([this.settings.current, this.box]);
  }

  /** @param {Result} result takes the place of the one before */
  finish(result) {
    if (this.result) URL.revokeObjectURL(this.result.url);
    this.result = result;
    this.error = null;
    this.rest();
  }

  /** Nothing is at work on it any more; what it had, it still has. */
  rest() {
    this.state = !this.result ? "new" : this.result.subjectFound ? "done" : "empty";
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
    if (this.result) URL.revokeObjectURL(this.result.url);
  }
}

/** The photos of this visit, the one that is looked at, and their settings. */

import { DEFAULTS } from "../page/settings.js";
import { History } from "./history.js";
import { Photo } from "./photo.js";

/** @typedef {import("../service/client.js").Settings} Settings */

export class Album {
  /** @type {Photo[]} */
  photos = [];
  /** @type {Photo | null} */
  selected = null;
  /** Whether the service can be told of a box. */
  canBox = true;
  /** What the next photos begin with: the settings that were chosen last. */
  #latest = new History(DEFAULTS);
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * @param {File} file
   * @returns {Promise<Photo>}
   */
  async add(file) {
    const photo = await Photo.open(file, new History(this.#latest.current));
    this.photos.push(photo);
    this.#onChange();
    return photo;
  }

  /** @param {Photo | null} photo */
  select(photo) {
    this.selected = photo;
    if (photo) this.#latest = new History(photo.settings.current);
    this.#onChange();
  }

  /** @param {Photo} photo */
  remove(photo) {
    const at = this.photos.indexOf(photo);
    if (at < 0) return;
    this.photos.splice(at, 1);
    photo.close();
    if (photo === this.selected) this.select(this.photos[at] ?? this.photos[at - 1] ?? null);
    else this.#onChange();
  }

  /** @returns {Settings} of the photo that is looked at */
  get settings() {
    return this.#shown.current;
  }

  get canUndo() {
    return this.#shown.canUndo || Boolean(this.#boxes?.canUndo);
  }

  /**
   * A photo that is cut out keeps its settings to itself; those that are not yet share theirs.
   *
   * @param {Settings} settings
   * @param {boolean} [isContinued]
   */
  change(settings, isContinued) {
    for (const history of this.#affected) history.change(settings, isContinued);
    this.#onChange();
  }

  /**
   * @param {import("../stage/box.js").Box | null} box of the photo that is looked at
   * @param {boolean} [isContinued]
   */
  changeBox(box, isContinued) {
    this.selected?.boxes.change(box, isContinued);
    this.#onChange();
  }

  /** Sets back what was changed last: the box of the photo that is looked at, or the settings. */
  undo() {
    if (this.#boxes && this.#boxes.changedAt > this.#shown.changedAt) this.#boxes.undo();
    else for (const history of this.#affected) history.undo();
    this.#onChange();
  }

  /** Gives every photo the settings of the one that is looked at. */
  spread() {
    const { settings } = this;
    for (const photo of this.photos) photo.settings.change(settings);
    this.#onChange();
  }

  /** What is to be cut out next: what is new or changed; else, once nothing is at work, failures worth another try. */
  get pending() {
    const idle = this.photos.filter((photo) => !photo.isBusy);
    const ready = idle.filter((photo) => photo.state === "new" || photo.isChanged);
    if (ready.length > 0 || idle.length < this.photos.length) return ready;
    return idle.filter((photo) => photo.state === "failed" && !photo.error.isFinal);
  }

  get #shown() {
    return this.selected?.settings ?? this.#latest;
  }

  get #boxes() {
    return this.canBox ? this.selected?.boxes : undefined;
  }

  get #affected() {
    if (this.selected?.result) return [this.#latest, this.selected.settings];
    return [this.#latest, ...this.photos.filter((photo) => !photo.result).map((photo) => photo.settings)];
  }
}

/** The photos of this visit, the one that is looked at, and what is wanted of them. */

import { DEFAULTS } from "../page/settings.js";
import { Edit, History } from "./edit.js";
import { Photo } from "./photo.js";

/** @typedef {import("../service/client.js").Settings} Settings */

export class Album {
  /** @type {Photo[]} */
  photos = [];
  /** @type {Photo | null} */
  selected = null;
  /** Whether the service corrects results. */
  canRefine = true;
  /** What the next photos begin with: the settings that were chosen last. */
  #latest = new History(new Edit(DEFAULTS));
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
    const photo = await Photo.open(file, new Edit(this.#latest.current.settings));
    this.photos.push(photo);
    this.#onChange();
    return photo;
  }

  /** @param {Photo | null} photo */
  select(photo) {
    this.selected = photo;
    if (photo) this.#latest = new History(new Edit(photo.edit.settings));
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

  /** Of the photo that is looked at, or of the next ones. */
  get edits() {
    return this.selected?.edits ?? this.#latest;
  }

  /**
   * A photo that is cut out keeps its settings to itself; those that are not yet share theirs.
   *
   * @param {Settings} settings
   * @param {boolean} [isContinued]
   */
  change(settings, isContinued) {
    this.#edit({ settings }, isContinued);
    this.#share(isContinued);
  }

  /**
   * @param {import("../stage/box.js").Box | null} box of the photo that is looked at
   * @param {boolean} [isContinued]
   */
  changeBox(box, isContinued) {
    this.#edit({ box }, isContinued);
    this.#onChange();
  }

  /** @param {import("./edit.js").Stroke} stroke on the photo that is looked at */
  draw(stroke) {
    this.#edit({ strokes: [...this.edits.current.strokes, stroke] });
    this.#onChange();
  }

  undo() {
    this.edits.undo();
    this.#share();
  }

  redo() {
    this.edits.redo();
    this.#share();
  }

  /** Gives every photo the settings of the one that is looked at. */
  spread() {
    const { settings } = this.edits.current;
    for (const { edits } of this.photos) edits.change(edits.current.with({ settings }));
    this.#onChange();
  }

  /** What is to be cut out next: what is new or changed; else, once nothing is at work, failures worth another try. */
  get pending() {
    const idle = this.photos.filter((photo) => !photo.isBusy);
    const ready = idle.filter((photo) => photo.state === "new" || (photo.isChanged && !this.isRefinable(photo)));
    if (ready.length > 0 || idle.length < this.photos.length) return ready;
    return idle.filter((photo) => photo.state === "failed" && !photo.error.isFinal);
  }

  /** What a correction makes right, which costs nothing. */
  get correctable() {
    return this.photos.filter((photo) => !photo.isBusy && photo.isChanged && this.isRefinable(photo));
  }

  /** @param {Photo} photo */
  isRefinable(photo) {
    return this.canRefine && photo.base !== null;
  }

  #edit(changes, isContinued) {
    this.edits.change(this.edits.current.with(changes), isContinued);
  }

  #share(isContinued) {
    const { settings } = this.edits.current;
    const others = this.selected?.result ? [] : this.photos.filter((photo) => !photo.result);
    for (const edits of [this.#latest, ...others.map((photo) => photo.edits)]) {
      edits.change(edits.current.with({ settings }), isContinued);
    }
    this.#onChange();
  }
}

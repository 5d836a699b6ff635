/** Before and after: how much of the photo is shown beside the cut-out, and what lies behind it. */

import { setPixels } from "../page/dom.js";
import { sizeOf } from "../photos/photo.js";

export class Compare {
  #parts;
  #view;
  #sceneUrl = "";

  /**
   * @param {{after: HTMLElement, backdrop: HTMLElement, divider: HTMLElement, split: HTMLInputElement,
   *   surface: HTMLElement}} parts
   * @param {import("./view.js").View} view
   */
  constructor(parts, view) {
    this.#parts = parts;
    this.#view = view;
    parts.split.addEventListener("input", () => this.#draw());
    view.listen(() => this.#draw());
  }

  /** @param {boolean} isShown without a photo to compare with, the cut-out is shown alone */
  show(isShown) {
    this.#parts.split.hidden = this.#parts.divider.hidden = !isShown;
    this.#draw();
  }

  checker() {
    this.#fill("", "");
  }

  /** @param {string} colour as CSS writes it */
  colour(colour) {
    this.#fill(colour, "");
  }

  /**
   * @param {File} file
   * @returns {Promise<boolean>} false where the browser cannot show it
   */
  async picture(file) {
    const url = URL.createObjectURL(file);
    if ((await sizeOf(url)) === null) {
      URL.revokeObjectURL(url);
      return false;
    }
    URL.revokeObjectURL(this.#sceneUrl);
    this.#sceneUrl = url;
    this.scene();
    return true;
  }

  get hasScene() {
    return this.#sceneUrl !== "";
  }

  /** Puts the picture that was chosen last behind the cut-out. */
  scene() {
    this.#fill("", `url("${this.#sceneUrl}")`);
  }

  #fill(colour, image) {
    const { backdrop } = this.#parts;
    backdrop.classList.toggle("checker", !colour && !image);
    backdrop.style.backgroundColor = colour;
    backdrop.style.backgroundImage = image;
  }

  /** The slider spans what is seen of the picture, so that its knob is in reach at every zoom. */
  #draw() {
    const { after, divider, split, surface } = this.#parts;
    const { x, y, width, height } = this.#view.rectangle;
    const top = Math.max(0, y);
    const seen = { top, h: Math.max(0, Math.min(surface.clientHeight, y + height) - top) };
    const from = Math.max(0, x);
    const to = Math.max(from, Math.min(surface.clientWidth, x + width));
    const at = from + ((to - from) * split.valueAsNumber) / 100;
    setPixels(split, { from, to, ...seen });
    setPixels(divider, { at, ...seen });
    setPixels(after, { clip: split.hidden ? 0 : at - x });
    split.setAttribute("aria-valuetext", `${Math.round(split.valueAsNumber)} percent photo`);
  }
}

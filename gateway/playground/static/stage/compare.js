/** Before and after: how much of the photo is shown beside the cut-out, and what lies behind it. */

import { setPixels } from "../page/dom.js";

export class Compare {
  #parts;
  #view;

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

  /**
   * @param {string} colour behind the cut-out, as CSS writes it
   * @param {string} url of a picture there; without either a checkerboard
   */
  fill(colour, url) {
    const { backdrop } = this.#parts;
    backdrop.classList.toggle("checker", !colour && !url);
    backdrop.style.backgroundColor = colour;
    backdrop.style.backgroundImage = url && `url("${url}")`;
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

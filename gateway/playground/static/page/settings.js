/** The form: how a photo is cut out, and what of it is not in the result yet. */

import { chosen, element } from "./dom.js";

const SLIDERS = ["foreground", "background", "erode"];
const BOX_SIDES = ["left", "top", "right", "bottom"];

/** @typedef {import("../service/client.js").Settings} Settings */

/** @type {Settings} */
export const DEFAULTS = { foreground: 240, background: 15, erode: 15, hair: "auto", onlyMask: false, fillHoles: false };

export class SettingsForm {
  #onChange;
  /** The control that is at work: what it changes until it is let go counts as one change. */
  #held = null;

  /** @param {(settings: Settings, isContinued: boolean) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    const form = element("settings");
    form.addEventListener("input", ({ target }) => this.#input(target));
    form.addEventListener("change", ({ target }) => this.#settle(target));
  }

  /**
   * @param {Settings & {box: object | null}} settings
   * @param {Settings & {box: object | null} | null} applied those of the result
   */
  show(settings, applied) {
    for (const id of SLIDERS) {
      element(id).value = String(settings[id]);
      const number = element(`${id}-number`);
      // What is being typed is left alone.
      if (number.valueAsNumber !== settings[id] && number !== document.activeElement) number.value = settings[id];
    }
    document.querySelector(`input[name="hair"][value="${settings.hair}"]`).checked = true;
    element("only-mask").checked = settings.onlyMask;
    element("fill-holes").checked = settings.fillHoles;
    for (const note of document.querySelectorAll("[data-unapplied]")) {
      const { unapplied } = /** @type {HTMLElement} */ (note).dataset;
      note.hidden = !applied || JSON.stringify(applied[unapplied]) === JSON.stringify(settings[unapplied]);
    }
  }

  #input(control) {
    for (const id of SLIDERS) {
      if (control.id === id) element(`${id}-number`).value = control.value;
      if (control.id === `${id}-number` && control.checkValidity()) element(id).value = control.value;
    }
    this.#onChange(this.#read(), this.#held === control);
    this.#held = control;
  }

  /** A number out of range becomes the nearest that the slider takes. */
  #settle(control) {
    const slider = SLIDERS.map(element).find(({ id }) => control.id === `${id}-number`);
    if (slider && !control.checkValidity()) {
      if (control.value) slider.value = control.value;
      control.value = slider.value;
      this.#input(control);
    }
    this.#held = null;
  }

  /** A number that is not possible leaves its slider where it was. */
  #read() {
    const numbers = Object.fromEntries(SLIDERS.map((id) => [id, element(id).valueAsNumber]));
    const [onlyMask, fillHoles] = ["only-mask", "fill-holes"].map((id) => element(id).checked);
    return { ...numbers, hair: chosen("hair"), onlyMask, fillHoles };
  }
}

/**
 * Shows the box in numbers.
 *
 * @param {import("../stage/box.js").Box | null} box
 */
export function showBox(box) {
  element("box-numbers").disabled = !box;
  for (const side of BOX_SIDES) element(`box-${side}`).value = box ? String(box[side]) : "";
}

/** @param {(box: import("../stage/box.js").Box) => void} onChange told of a box that was typed */
export function followBoxNumbers(onChange) {
  const inputs = BOX_SIDES.map((side) => [side, element(`box-${side}`)]);
  const read = () => Object.fromEntries(inputs.map(([side, input]) => [side, input.valueAsNumber || 0]));
  for (const [, input] of inputs) input.addEventListener("change", () => onChange(read()));
}

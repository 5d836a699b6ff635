/** Pictures as shops and offices ask for them: sizes, ground and place. Whoever asks for one may ask for more. */

import { element } from "../page/dom.js";

/**
 * @typedef {object} Preset
 * @property {{widthPx: number, heightPx: number} | null} canvas
 * @property {string} size of the subject, as the panel has it
 * @property {string} position of the subject, as the panel has it
 * @property {string} hint what to know of it
 */

/** @type {Record<string, Preset>} */
export const PRESETS = {
  photo: { canvas: null, size: "", position: "", hint: "" },
  amazon: {
    canvas: { widthPx: 2000, heightPx: 2000 },
    size: "0.85",
    position: "0.5 0.5",
    hint: "Pure white, the product at 85 % of the side. From 1000 pixels on, shoppers can zoom.",
  },
  ebay: {
    canvas: { widthPx: 1600, heightPx: 1600 },
    size: "0.9",
    position: "0.5 0.5",
    hint: "eBay takes 500 pixels and more on the longer side, and advises 1600.",
  },
  post: { canvas: { widthPx: 1080, heightPx: 1080 }, size: "0.8", position: "0.5 0.5", hint: "" },
  passport: {
    canvas: { widthPx: 413, heightPx: 531 },
    size: "0.9",
    position: "0.5 1",
    hint: "413 × 531 pixels are 35 × 45 mm at 300 dpi. Nothing measures the face here: many offices ask for 32 to 36 mm.",
  },
};

/** @returns {Preset} the one that is chosen */
export function chosenPreset() {
  return PRESETS[element("preset").value];
}

/** @param {() => void} onChange told once the panel says what the preset asks for */
export function followPresets(onChange) {
  element("preset").addEventListener("change", () => {
    const { canvas, size, position, hint } = chosenPreset();
    element("preset-hint").textContent = hint;
    element("preset-hint").hidden = !hint;
    element("size").value = size;
    element("position").value = position;
    element("crop").checked = false;
    element("colour").value = "#ffffff";
    document.querySelector(`input[name="backdrop"][value="${canvas ? "colour" : "none"}"]`).checked = true;
    element("format").value = canvas ? "jpeg" : "png";
    onChange();
  });
}

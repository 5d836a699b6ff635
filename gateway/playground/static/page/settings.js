/** The form: what the visitor chose, as fields of the protocol. */

import { chosen, element } from "./dom.js";

const SLIDERS = { foreground: "ForegroundThreshold", background: "BackgroundThreshold", erode: "ErodeSize" };
const BOX_SIDES = ["left", "top", "right", "bottom"];

/** Keeps each slider and its number the same. */
export function pairSliders() {
  for (const id of Object.keys(SLIDERS)) {
    const [range, number] = [element(id), element(`${id}-number`)];
    range.addEventListener("input", () => (number.value = range.value));
    number.addEventListener("input", () => {
      if (number.validity.valid && number.value) range.value = number.value;
    });
  }
}

/**
 * @param {import("../stage/box.js").Box | null} box
 * @returns {Record<string, unknown>} fields of `RemoveBackground`, without the picture
 */
export function chosenFields(box) {
  const numbers = Object.entries(SLIDERS).map(([id, name]) => [name, element(`${id}-number`).valueAsNumber]);
  return {
    ...Object.fromEntries(numbers),
    HairOptimization: chosen("hair"),
    OnlyMask: element("only-mask").checked,
    ...(box && { Box: BOX_SIDES.map((side) => box[side]) }),
  };
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

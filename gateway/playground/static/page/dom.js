/**
 * An element of the page, which has it: the page and these files are one.
 *
 * @template {HTMLElement} [T=any]
 * @param {string} id
 * @returns {T}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}

/**
 * The value of the radio button that is on.
 *
 * @param {string} name
 * @returns {string}
 */
export function chosen(name) {
  return document.querySelector(`input[name="${name}"]:checked`)?.getAttribute("value") ?? "";
}

/**
 * Hands places to the style sheet.
 *
 * @param {Element | null} element
 * @param {Record<string, number>} places CSS pixels, by the names of the properties without their dashes
 */
export function setPixels(element, places) {
  for (const [name, value] of Object.entries(places)) {
    /** @type {HTMLElement} */ (element).style.setProperty(`--${name}`, `${value}px`);
  }
}

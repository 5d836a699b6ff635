/** Results in the visitor's hands. */

import { LocalError } from "../service/errors.js";

const MEDIA_TYPE = "image/webp";

/**
 * A result as WebP, encoded by the browser.
 *
 * A canvas keeps colours multiplied by alpha, so those of translucent pixels come back rounded; alpha itself is
 * exact. Chromium takes a quality of 1 for lossless.
 *
 * @param {HTMLImageElement} image a decoded result
 * @param {number} quality up to 1
 * @returns {Promise<Blob>}
 */
export async function asWebp(image, quality) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, MEDIA_TYPE, quality));
  canvas.width = 0; // gives the memory back at once
  if (blob?.type !== MEDIA_TYPE) {
    throw new LocalError("This browser writes no WebP of this picture", "save the PNG, or use another browser");
  }
  return blob;
}

/**
 * Has the browser save something.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

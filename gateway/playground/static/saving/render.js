/** A result as it is seen: on its backdrop, cropped, in the format that was chosen. */

import { LocalError } from "../service/errors.js";
import { subjectOf, withMargin } from "./crop.js";

/** Around a subject that is cropped to: a part of its longer side. */
const MARGIN = 0.05;

/** @typedef {{extension: string, mediaType: string, quality?: number, hasAlpha: boolean}} Format */

/** @type {Record<string, Format>} Chromium takes a quality of 1 for lossless WebP */
export const FORMATS = {
  png: { extension: "png", mediaType: "image/png", hasAlpha: true },
  webp: { extension: "webp", mediaType: "image/webp", quality: 1, hasAlpha: true },
  "webp-lossy": { extension: "webp", mediaType: "image/webp", quality: 0.9, hasAlpha: true },
  jpeg: { extension: "jpg", mediaType: "image/jpeg", quality: 0.92, hasAlpha: false },
};

/**
 * @typedef {object} Choices
 * @property {Format} format
 * @property {string | ImageBitmap | null} backdrop a colour as CSS writes it, a picture, or nothing
 * @property {boolean} isCropped
 */

/** @typedef {import("../photos/photo.js").Result} Result */

/**
 * The part of a result that is saved.
 *
 * @param {Result} result
 * @param {boolean} isCropped
 * @returns {Promise<import("./crop.js").Rectangle>} all of it where there is no subject to crop to
 */
export async function frameOf(result, isCropped) {
  const { widthPx, heightPx } = result.size;
  const subject = isCropped ? await subjectOf(result) : null;
  return subject ? withMargin(subject, MARGIN, result.size) : { x: 0, y: 0, width: widthPx, height: heightPx };
}

/**
 * What is wrong with saving so, as a reason; empty where nothing is.
 *
 * @param {Choices} choices
 * @param {Result} result
 */
export function whyNot({ format, backdrop }, result) {
  return format.hasAlpha || backdrop || result.settings.onlyMask ? "" : "JPEG cannot be transparent";
}

/**
 * The PNG as the service made it wherever nothing is changed, to the byte. Else the browser draws it: a canvas keeps
 * colours multiplied by alpha, so those of translucent pixels come back rounded; alpha itself is exact.
 *
 * @param {Result} result
 * @param {Choices} choices
 * @returns {Promise<Blob>}
 */
export async function rendered(result, choices) {
  const { format, backdrop, isCropped } = choices;
  if (format === FORMATS.png && !backdrop && !isCropped) return result.blob;
  const reason = whyNot(choices, result);
  if (reason) throw new LocalError(reason, "choose a colour or a picture behind the cut-out, or another format");
  const { x, y, width, height } = await frameOf(result, isCropped);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.translate(-x, -y);
  drawBackdrop(context, backdrop, result.size);
  const bitmap = await createImageBitmap(result.blob);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return encoded(canvas, format);
}

/** Fills the whole picture, as the page does: a picture covers it and is cut off at two of its sides. */
function drawBackdrop(context, backdrop, { widthPx, heightPx }) {
  if (typeof backdrop === "string") {
    context.fillStyle = backdrop;
    context.fillRect(0, 0, widthPx, heightPx);
  } else if (backdrop) {
    const scale = Math.max(widthPx / backdrop.width, heightPx / backdrop.height);
    const [width, height] = [backdrop.width * scale, backdrop.height * scale];
    context.drawImage(backdrop, (widthPx - width) / 2, (heightPx - height) / 2, width, height);
  }
}

async function encoded(canvas, { mediaType, quality }) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, mediaType, quality));
  canvas.width = 0; // gives the memory back at once
  if (blob?.type !== mediaType) {
    throw new LocalError("This browser cannot write this picture so", "save a PNG, or use another browser");
  }
  return blob;
}

/** A result as it is seen: in its place, over its shadow and its background, in the format that was chosen. */

import { LocalError } from "../service/errors.js";
import { layoutOf } from "./layout.js";
import { subjectOf } from "./subject.js";

/** How far a shadow falls, and the standard deviation of its softness; both as in `worker/composition/shadow.py`. */
const [DROP, BLUR] = [0.035, 0.03];

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
 * @property {string | ImageBitmap | null} backdrop a colour as CSS writes it, a picture, or null for none
 * @property {import("./layout.js").Look} look
 */

/** @typedef {{opacity: number, dropPx: number, blurPx: number}} Shadow in pixels of the canvas */
/** @typedef {{layout: import("./layout.js").Layout, shadow: Shadow | null}} Composition */

/** @typedef {import("../photos/photo.js").Result} Result */

/** @param {import("./layout.js").Look} look */
function changesNothing({ canvas, margin, size, position, shadow }) {
  return !canvas && margin === null && size === null && position === null && shadow === 0;
}

/**
 * Where a result lies, and its shadow. A mask has none.
 *
 * @param {Result} result
 * @param {import("./layout.js").Look} look
 * @returns {Promise<Composition>}
 */
export async function compositionOf(result, look) {
  const subject = changesNothing(look) ? null : await subjectOf(result);
  const layout = layoutOf(result.size, subject, look);
  if (!subject || look.shadow === 0 || result.edit.settings.onlyMask) return { layout, shadow: null };
  const scale = layout.picture.width / result.size.widthPx;
  const sizePx = scale * Math.sqrt(subject.width * subject.height);
  return { layout, shadow: { opacity: look.shadow, dropPx: DROP * sizePx, blurPx: BLUR * sizePx } };
}

/**
 * What is wrong with saving so, as a reason; empty where nothing is.
 *
 * @param {Choices} choices
 * @param {Result} result
 */
export function whyNot({ format, backdrop }, result) {
  return format.hasAlpha || backdrop || result.edit.settings.onlyMask ? "" : "JPEG cannot be transparent";
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
  const { format, backdrop, look } = choices;
  if (format === FORMATS.png && !backdrop && changesNothing(look)) return result.blob;
  const reason = whyNot(choices, result);
  if (reason) throw new LocalError(reason, "choose a colour or a picture as the background, or another format");
  const { layout, shadow } = await compositionOf(result, look);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [layout.widthPx, layout.heightPx];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  drawBackdrop(context, backdrop, layout);
  if (shadow) {
    context.shadowColor = `rgb(0 0 0 / ${shadow.opacity})`;
    context.shadowOffsetY = shadow.dropPx;
    context.shadowBlur = 2 * shadow.blurPx; // twice the standard deviation, as HTML defines it
  }
  const bitmap = await createImageBitmap(result.blob);
  const { x, y, width, height } = layout.picture;
  context.drawImage(bitmap, x, y, width, height);
  bitmap.close();
  return encoded(canvas, format);
}

/** Fills the whole canvas, as the page does: a picture covers it and is cut off at two of its sides. */
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

/** Where the subject is: the smallest rectangle with all of it. */

const ROWS_AT_ONCE = 256;
/** Fainter than this, a pixel is a trace that nobody sees, of 255. */
const SEEN_FROM = 16;
const RED = 0;
const ALPHA = 3;

/** @typedef {import("./layout.js").Rectangle} Rectangle */

/** @type {WeakMap<object, Promise<Rectangle | null>>} */
const found = new WeakMap();

/**
 * @param {import("../photos/photo.js").Result} result looked through once
 * @returns {Promise<Rectangle | null>} null where there is no subject
 */
export function subjectOf(result) {
  const subject = found.get(result) ?? search(result);
  found.set(result, subject);
  return subject;
}

async function search({ blob, edit: { settings } }) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = Math.min(height, ROWS_AT_ONCE);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const edges = { left: width, top: height, right: 0, bottom: 0 };
  for (let top = 0; top < height; top += ROWS_AT_ONCE) {
    const rows = Math.min(ROWS_AT_ONCE, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    widen(edges, context.getImageData(0, 0, width, rows), top, settings.onlyMask ? RED : ALPHA);
  }
  bitmap.close();
  const { left, top, right, bottom } = edges;
  return right > left ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}

/** Counts a pixel as the subject's that is well seen; of a mask, which is opaque, one that is not nearly black. */
function widen(edges, { data, width, height }, top, channel) {
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      if (data[at + channel] < SEEN_FROM) continue;
      if (x < edges.left) edges.left = x;
      if (x >= edges.right) edges.right = x + 1;
      if (top + y < edges.top) edges.top = top + y;
      edges.bottom = top + y + 1;
    }
  }
}

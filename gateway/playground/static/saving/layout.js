/** Where a picture comes to lie on the canvas that is saved: cropped, at its size, in its place. */

/**
 * @typedef {object} Look what is made of a cut-out
 * @property {{widthPx: number, heightPx: number} | null} canvas its size; null that of the photo, or of what it is
 *   cropped to
 * @property {number | null} margin around a subject that is cropped to, part of its longer side; null does not crop
 * @property {number | null} size of the subject, part of what the canvas has room for; null as in the photo
 * @property {{x: number, y: number} | null} position shares of the free room before the subject; null as in the photo
 * @property {number} shadow its opacity, 0 to 1
 */

/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle in pixels */

/**
 * @typedef {object} Layout
 * @property {number} widthPx of the canvas
 * @property {number} heightPx of the canvas
 * @property {Rectangle} picture in pixels of the canvas, perhaps beyond its edges
 */

/**
 * @param {{widthPx: number, heightPx: number}} size of a picture that fills the canvas
 * @returns {Layout}
 */
export function unchanged({ widthPx, heightPx }) {
  return { widthPx, heightPx, picture: { x: 0, y: 0, width: widthPx, height: heightPx } };
}

/**
 * @param {{widthPx: number, heightPx: number}} size of the picture
 * @param {Rectangle | null} subject without one there is nothing to crop to or to place
 * @param {Look} look
 * @returns {Layout}
 */
export function layoutOf(size, subject, { canvas, margin, size: part, position }) {
  const { picture } = unchanged(size);
  const shown = subject && margin !== null ? withMargin(subject, margin, picture) : picture;
  const { widthPx, heightPx } = canvas ?? { widthPx: shown.width, heightPx: shown.height };
  const one = subject ?? shown;
  const { width, height } = one;
  const fit = Math.min(widthPx / shown.width, heightPx / shown.height);
  const scale = subject && part !== null ? part * Math.min(widthPx / width, heightPx / height) : fit;
  const x = place(middle(one.x - shown.x, width, shown.width, widthPx, fit), scale * width, widthPx, position?.x);
  const y = place(middle(one.y - shown.y, height, shown.height, heightPx, fit), scale * height, heightPx, position?.y);
  const placed = { x: x - scale * one.x, y: y - scale * one.y };
  return { widthPx, heightPx, picture: { ...placed, width: scale * picture.width, height: scale * picture.height } };
}

/** Along one side, where the middle of the subject lies if what is shown fills the canvas. */
function middle(start, length, shown, canvas, fit) {
  return (canvas - fit * shown) / 2 + fit * (start + length / 2);
}

/** Never beyond the picture: a subject that its edge cuts off would end in the air. */
function withMargin({ x, y, width, height }, margin, picture) {
  const marginPx = Math.round(Math.max(width, height) * margin);
  const [left, top] = [Math.max(0, x - marginPx), Math.max(0, y - marginPx)];
  const right = Math.min(picture.width, x + width + marginPx);
  return { x: left, y: top, width: right - left, height: Math.min(picture.height, y + height + marginPx) - top };
}

/** Along one side, where the subject begins: behind a share of the free room, or with its middle where it was. */
function place(middle, length, canvas, share) {
  const room = canvas - length;
  const kept = Math.min(room, Math.max(0, middle - length / 2));
  // At a whole pixel, so that what is only moved stays sharp.
  return Math.round(share === undefined ? kept : share * room);
}

/** Where a picture comes to lie on the canvas that is saved: cropped, at its size, in its place. */

/**
 * @typedef {object} Look what is made of a cut-out
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
export function layoutOf(size, subject, { margin, size: part, position }) {
  const { picture } = unchanged(size);
  if (!subject) return unchanged(size);
  const { x: left, y: top, width, height } = margin === null ? picture : withMargin(subject, margin, picture);
  const scale = part === null ? 1 : part * Math.min(width / subject.width, height / subject.height);
  const x = place(subject.x - left, subject.width, width, scale, position?.x) - scale * subject.x;
  const y = place(subject.y - top, subject.height, height, scale, position?.y) - scale * subject.y;
  const placed = { x, y, width: scale * picture.width, height: scale * picture.height };
  return { widthPx: width, heightPx: height, picture: placed };
}

/** Never beyond the picture: a subject that its edge cuts off would end in the air. */
function withMargin({ x, y, width, height }, margin, picture) {
  const marginPx = Math.round(Math.max(width, height) * margin);
  const [left, top] = [Math.max(0, x - marginPx), Math.max(0, y - marginPx)];
  const right = Math.min(picture.width, x + width + marginPx);
  return { x: left, y: top, width: right - left, height: Math.min(picture.height, y + height + marginPx) - top };
}

/** Along one side, where the subject begins: behind a share of the free room, or with its middle where it was. */
function place(start, length, canvas, scale, share) {
  const room = canvas - scale * length;
  const kept = Math.min(room, Math.max(0, start + (length - scale * length) / 2));
  // At a whole pixel, so that what is only moved stays sharp.
  return Math.round(share === undefined ? kept : share * room);
}

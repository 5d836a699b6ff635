/** Small pictures of large ones. Only one is decoded at a time, whatever number of files is dropped. */

const WIDTH_PX = 192;
const HEIGHT_PX = 144;

/** @type {Promise<unknown>} */
let lastTurn = Promise.resolve();

/**
 * @param {File} file
 * @returns {Promise<{size: {widthPx: number, heightPx: number} | null, thumbnail: HTMLCanvasElement}>} no size and
 *   the kind of the file alone where the browser cannot show it
 */
export async function pictureOf(file) {
  const thumbnail = document.createElement("canvas");
  [thumbnail.width, thumbnail.height] = [WIDTH_PX, HEIGHT_PX];
  const size = await draw(thumbnail, file);
  if (!size) write(thumbnail, file.name.slice(file.name.lastIndexOf(".") + 1).toUpperCase());
  return { size, thumbnail };
}

/**
 * Draws a picture as large as it fits, in place of the one before.
 *
 * @param {HTMLCanvasElement} thumbnail
 * @param {Blob} blob
 * @returns {Promise<{widthPx: number, heightPx: number} | null>} its size
 */
export function draw(thumbnail, blob) {
  const turn = lastTurn.then(() => drawNow(thumbnail, blob));
  lastTurn = turn;
  return turn;
}

function write(thumbnail, text) {
  const context = /** @type {CanvasRenderingContext2D} */ (thumbnail.getContext("2d"));
  context.font = "600 34px system-ui, sans-serif";
  context.fillStyle = "#7d8a85";
  context.textAlign = "center";
  context.fillText(text.slice(0, 5), WIDTH_PX / 2, HEIGHT_PX / 2 + 12);
}

async function drawNow(thumbnail, blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    return null;
  }
  const { width, height } = bitmap;
  const scale = Math.min(WIDTH_PX / width, HEIGHT_PX / height);
  const [w, h] = [width * scale, height * scale];
  const context = /** @type {CanvasRenderingContext2D} */ (thumbnail.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, WIDTH_PX, HEIGHT_PX);
  context.drawImage(bitmap, (WIDTH_PX - w) / 2, (HEIGHT_PX - h) / 2, w, h);
  bitmap.close();
  return { widthPx: width, heightPx: height };
}

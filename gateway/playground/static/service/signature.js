/** The signature of a request: SHA-1 over its canonical string and the private key. */

import { canonicalPieces } from "./canonical.js";
import { Sha1 } from "./sha1.js";

/** Hashed in a few milliseconds; then the page may draw a frame. */
const SLICE_CHARACTERS = 2 ** 20;

/**
 * @param {Record<string, unknown>} params
 * @param {string} privateKey
 * @returns {string}
 */
export function sign(params, privateKey) {
  const hash = new Sha1();
  for (const bytes of signedBytes(params, privateKey)) hash.update(bytes);
  return hash.hex();
}

/**
 * The same for large pictures, without keeping the page from drawing.
 *
 * @param {Record<string, unknown>} params
 * @param {string} privateKey
 * @returns {Promise<string>}
 */
export async function signInSlices(params, privateKey) {
  const hash = new Sha1();
  for (const bytes of signedBytes(params, privateKey)) {
    hash.update(bytes);
    if (bytes.length >= SLICE_CHARACTERS) await nextTask();
  }
  return hash.hex();
}

/**
 * @param {Record<string, unknown>} params
 * @param {string} privateKey
 */
function* signedBytes(params, privateKey) {
  const encoder = new TextEncoder();
  for (const piece of canonicalPieces(params)) {
    for (let from = 0; from < piece.length; ) {
      const to = sliceEnd(piece, from);
      yield encoder.encode(piece.slice(from, to));
      from = to;
    }
  }
  yield encoder.encode(privateKey);
}

/**
 * Where a slice ends: never between the two units of one character.
 *
 * @param {string} text
 * @param {number} from
 */
function sliceEnd(text, from) {
  const end = from + SLICE_CHARACTERS;
  const isPair = end < text.length && text.codePointAt(end - 1) > 0xffff;
  return isPair ? end + 1 : end;
}

/** Lets the browser do what waits; a timer would be slowed down in a tab that is not looked at. */
function nextTask() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve(undefined);
    };
    channel.port2.postMessage(null);
  });
}

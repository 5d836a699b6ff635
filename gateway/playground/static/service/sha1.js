/**
 * SHA-1 (FIPS 180-4), fed in parts. A browser offers its own only to pages that came over HTTPS or from this
 * machine, and a gateway in a local network has neither.
 */

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;

export class Sha1 {
  #state = new Int32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  #words = new Int32Array(80);
  #rest = new Uint8Array(BLOCK_BYTES);
  #restBytes = 0;
  #totalBytes = 0;

  /**
   * @param {Uint8Array} data
   * @returns {this}
   */
  update(data) {
    this.#totalBytes += data.length;
    let from = 0;
    if (this.#restBytes > 0) {
      from = Math.min(BLOCK_BYTES - this.#restBytes, data.length);
      this.#rest.set(data.subarray(0, from), this.#restBytes);
      this.#restBytes += from;
      if (this.#restBytes < BLOCK_BYTES) return this;
      this.#compress(this.#rest, 0);
      this.#restBytes = 0;
    }
    for (; from + BLOCK_BYTES <= data.length; from += BLOCK_BYTES) this.#compress(data, from);
    this.#rest.set(data.subarray(from));
    this.#restBytes = data.length - from;
    return this;
  }

  /** @returns {string} 40 hexadecimal digits; nothing can be added after that. */
  hex() {
    const totalBits = BigInt(this.#totalBytes) * 8n;
    const zeros = (2 * BLOCK_BYTES - 1 - LENGTH_BYTES - this.#restBytes) % BLOCK_BYTES;
    const padding = new Uint8Array(1 + zeros + LENGTH_BYTES);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(1 + zeros, totalBits);
    this.update(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /**
   * @param {Uint8Array} data
   * @param {number} offset of the block
   */
  #compress(data, offset) {
    const words = this.#words;
    for (let i = 0, at = offset; i < 16; i += 1, at += 4) {
      words[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    }
    for (let i = 16; i < 80; i += 1) {
      const mixed = words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16];
      words[i] = (mixed << 1) | (mixed >>> 31);
    }
    let [a, b, c, d, e] = this.#state;
    for (let i = 0; i < 80; i += 1) {
      const next = (((a << 5) | (a >>> 27)) + mixed(i, b, c, d) + e + words[i]) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    this.#state[0] += a;
    this.#state[1] += b;
    this.#state[2] += c;
    this.#state[3] += d;
    this.#state[4] += e;
  }
}

/** @returns {number} the function and the constant of a round */
function mixed(round, b, c, d) {
  if (round < 20) return (((b & c) | (~b & d)) + 0x5a827999) | 0;
  if (round < 40) return ((b ^ c ^ d) + 0x6ed9eba1) | 0;
  if (round < 60) return (((b & c) | (b & d) | (c & d)) - 0x70e44324) | 0;
  return ((b ^ c ^ d) - 0x359d3e2a) | 0;
}

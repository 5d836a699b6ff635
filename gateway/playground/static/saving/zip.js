/**
 * ZIP archives of files that are packed already, so that nothing is compressed: PKWARE's APPNOTE 6.3, method 0
 * ("stored"), names in UTF-8. Without its 64-bit extension, so up to 4 GiB and 65 535 files.
 */

import { LocalError } from "../service/errors.js";

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_OF_CENTRAL = 0x06054b50;
/** Of a file's two headers, without its name. */
const ENTRY_BYTES = 30 + 46;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
const LARGEST = 0xffffffff;
const MOST_FILES = 0xffff;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * @param {readonly {name: string, blob: Blob}[]} files names that differ
 * @param {Date} [at] when they were made
 * @returns {Promise<Blob>}
 */
export async function zip(files, at = new Date()) {
  const packed = files.map(({ name, blob }) => ({ nameBytes: new TextEncoder().encode(name), blob }));
  const sizes = packed.map(({ nameBytes, blob }) => ENTRY_BYTES + 2 * nameBytes.length + blob.size);
  if (sizes.reduce((sum, bytes) => sum + bytes, 0) > LARGEST || files.length > MOST_FILES) {
    throw new LocalError("This is too much for one ZIP", "remove some photos, or choose JPEG or WebP");
  }
  const [parts, directory] = [[], []];
  let offset = 0;
  for (const { nameBytes, blob } of packed) {
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    // What the header before the file and the entry at the end have in common, as [bytes, value].
    const shared = [[2, UTF8_NAMES], [2, 0], ...dosTime(at), [4, crc], [4, blob.size], [4, blob.size]];
    shared.push([2, nameBytes.length], [2, 0]);
    const header = fields([[4, LOCAL_HEADER], [2, VERSION], ...shared]);
    const rest = [[2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]; // no comment, first disk, no attributes
    directory.push(fields([[4, CENTRAL_HEADER], [2, VERSION], [2, VERSION], ...shared, ...rest]), nameBytes);
    parts.push(header, nameBytes, blob);
    offset += header.length + nameBytes.length + blob.size;
  }
  const directoryBytes = directory.reduce((sum, { length }) => sum + length, 0);
  const counts = [[2, files.length], [2, files.length], [4, directoryBytes], [4, offset], [2, 0]];
  const end = fields([[4, END_OF_CENTRAL], [2, 0], [2, 0], ...counts]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** @param {number[][]} values as [bytes, value], written with the lowest byte first */
function fields(values) {
  const bytesOf = ([count, value]) => Array.from({ length: count }, (_, at) => (value >>> (8 * at)) & 255);
  return Uint8Array.from(values.flatMap(bytesOf));
}

/** Local time in the format of MS-DOS: in steps of two seconds, from 1980 on. */
function dosTime(at) {
  const time = (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1);
  const date = ((at.getFullYear() - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate();
  return [[2, time], [2, date]];
}

/** Folders that were dropped: the pictures in them and beneath. */

import { LocalError } from "../service/errors.js";

const UNKNOWN_TO_SOME = /\.(avif|bmp|heic|heif|tiff?|webp)$/i;

/**
 * Has to be asked for while the drop is being handled: afterwards it is gone.
 *
 * @param {DataTransfer | null} transfer
 * @returns {FileSystemEntry[]}
 */
export function entriesOf(transfer) {
  return Array.from(transfer?.items ?? [], (item) => item.webkitGetAsEntry?.() ?? null).filter(Boolean);
}

/**
 * What stands in a folder beside its pictures is left out without a word; a file that was dropped itself is not.
 *
 * @param {readonly FileSystemEntry[]} entries
 * @returns {Promise<File[]>} in the order of their names, folder by folder
 */
export async function picturesIn(entries) {
  const found = await Promise.all(
    entries.map((entry) => (entry.isDirectory ? folder(entry) : fileOf(entry).then((file) => [file]))),
  );
  const files = found.flat();
  if (files.length > 0) return files;
  const names = entries.map(({ name }) => name).join(", ");
  throw new LocalError(`There is no picture in ${names}`, "drop a folder of photos, or the photos themselves");
}

/** @returns {Promise<File[]>} */
async function folder(directory) {
  const files = [];
  for (const entry of await list(directory)) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory) files.push(...(await folder(entry)));
    else {
      const file = await fileOf(entry);
      if (file.type ? file.type.startsWith("image/") : UNKNOWN_TO_SOME.test(file.name)) files.push(file);
    }
  }
  return files;
}

/** All of a folder, of which browsers hand out a hundred entries at a time. */
async function list(directory) {
  const reader = directory.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(unreadable(directory));
    if (some.length === 0) break;
    entries.push(...some);
  }
  return entries.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}

/** @returns {Promise<File>} */
function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject)).catch(unreadable(entry));
}

function unreadable({ name }) {
  return () => {
    throw new LocalError(`${name} cannot be read`, "choose it once more");
  };
}

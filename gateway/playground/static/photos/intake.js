/** Where photos come from: the file dialog, a drop, the clipboard, the samples. */

import { element } from "../page/dom.js";
import { LocalError } from "../service/errors.js";
import { entriesOf, picturesIn } from "./folders.js";

const KINDS = "choose JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF";

/**
 * @param {{add: (files: File[], isSample?: boolean) => void, refuse: (error: LocalError) => void}} takers
 */
export function followFiles({ add, refuse }) {
  const [input, area] = [element("file"), element("stage")];
  for (const id of ["choose", "drop"]) element(id).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(Array.from(input.files));
    input.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (files.length > 0) add(files);
  });
  // Wherever on the page: a browser would leave the page for a file that misses its place.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("dropping");
  });
  document.addEventListener("dragleave", () => area.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("dropping");
    const files = Array.from(event.dataTransfer?.files ?? []);
    const entries = entriesOf(event.dataTransfer);
    if (entries.some(({ isDirectory }) => isDirectory)) picturesIn(entries).then(add, refuse);
    else if (files.length > 0) add(files);
    else if (event.dataTransfer?.types.length) refuse(linkDropped());
  });
  for (const button of document.querySelectorAll("[data-sample]")) {
    const image = button.querySelector("img");
    button.addEventListener("click", () => sample(image).then((file) => add([file], true), refuse));
  }
}

/**
 * Sorts out what says itself that it is no picture. A file without a kind may be one: browsers do not know them all.
 *
 * @param {readonly File[]} files
 * @returns {{photos: File[], error: LocalError | null}} the error names what is left out
 */
export function sorted(files) {
  const others = files.filter(({ type }) => type && !type.startsWith("image/"));
  if (others.length === 0) return { photos: [...files], error: null };
  const photos = files.filter((file) => !others.includes(file));
  const [first] = others;
  const message =
    others.length === 1 ? `${first.name} is not a picture` : `${others.length} files are not pictures`;
  return { photos, error: new LocalError(message, KINDS) };
}

/** @param {HTMLImageElement} image */
async function sample(image) {
  const response = await fetch(image.src).catch(() => null);
  if (!response?.ok) throw new LocalError("The sample cannot be fetched", "check the connection, and try again");
  const blob = await response.blob();
  return new File([blob], new URL(image.src).pathname.split("/").at(-1), { type: blob.type });
}

/** This page asks no other host for anything, so it cannot fetch what lies there. */
function linkDropped() {
  return new LocalError(
    "That is a link to a picture, not the picture",
    "save the picture and choose its file, or copy the picture itself and paste it here",
  );
}

/** The look of the results: chosen in the panel, shown on the stage, and saved. */

import { chosen, element } from "../page/dom.js";
import { LocalError } from "../service/errors.js";
import { chosenPreset, followPresets } from "./presets.js";
import { compositionOf, FORMATS, rendered, whyNot } from "./render.js";
import { zip } from "./zip.js";

/** @typedef {import("../photos/photo.js").Photo} Photo */

/** Enlarged by more, one sees it. */
const BLURRED_FROM = 1.3;

export class Saving {
  #stage;
  #album;
  #report;
  /** @type {ImageBitmap | null} */
  #scene = null;
  #sceneUrl = "";
  #turn = Symbol("turn");

  /**
   * @param {import("../stage/stage.js").Stage} stage
   * @param {import("../photos/album.js").Album} album
   * @param {{tell: (text: string) => void, problem: (error: unknown) => void}} report
   */
  constructor(stage, album, report) {
    this.#stage = stage;
    this.#album = album;
    this.#report = report;
    element("look").addEventListener("input", () => this.show());
    element("format").addEventListener("change", () => this.show());
    followPresets(() => this.show());
    element("scene-choose").addEventListener("click", () => element("scene").click());
    element("scene").addEventListener("change", () => this.#chooseScene(element("scene").files[0]));
    element("save").addEventListener("click", () => this.#busy("save", () => this.#save()));
    element("save-all").addEventListener("click", () => this.#busy("save-all", () => this.#saveAll()));
  }

  /** Shows on the stage what would be saved. */
  show() {
    const kind = chosen("backdrop");
    element("colour").hidden = kind !== "colour";
    element("scene-choose").hidden = kind !== "picture";
    element("margin-field").hidden = element("margin").disabled = !element("crop").checked;
    const { backdrop, look } = this.#choices;
    const colour = typeof backdrop === "string" ? backdrop : "";
    this.#stage.showBackdrop(colour, backdrop && !colour ? this.#sceneUrl : "");
    const done = this.#album.photos.filter((photo) => photo.result);
    const saveAll = element("save-all");
    saveAll.title = done.map((photo) => this.#hint(photo.result)).find(Boolean) ?? "";
    saveAll.disabled = done.length === 0 || saveAll.title !== "";
    const result = this.#album.selected?.result;
    if (!result) return;
    const hint = this.#hint(result);
    element("save-hint").textContent = hint;
    element("save").disabled = hint !== "";
    this.#compose(result, look);
  }

  /** @param {import("../photos/photo.js").Result} result */
  #hint(result) {
    const reason = whyNot(this.#choices, result);
    return reason && `${reason}: choose a colour or a picture as the background.`;
  }

  get #choices() {
    const kind = chosen("backdrop");
    const backdrop = kind === "colour" ? element("colour").value : kind === "picture" ? this.#scene : null;
    return { format: FORMATS[element("format").value], backdrop, look: chosenLook() };
  }

  /** What was asked for last is shown, whatever is ready last. */
  async #compose(result, look) {
    const turn = (this.#turn = Symbol("turn"));
    const composition = await compositionOf(result, look);
    if (turn !== this.#turn) return;
    this.#stage.compose(result, composition);
    const enlarged = composition.layout.picture.width / result.size.widthPx;
    const hint = element("save-hint");
    if (!hint.textContent && enlarged > BLURRED_FROM) {
      hint.textContent = `Enlarged ${enlarged.toFixed(1)} times: a larger photo would be sharper.`;
    }
  }

  /** @param {File | undefined} file */
  async #chooseScene(file) {
    if (!file) return;
    let scene;
    try {
      scene = await createImageBitmap(file);
    } catch {
      this.#report.problem(new LocalError(`This browser cannot show ${file.name}`, "choose a JPEG, PNG or WebP"));
      return;
    }
    this.#scene?.close();
    URL.revokeObjectURL(this.#sceneUrl);
    [this.#scene, this.#sceneUrl] = [scene, URL.createObjectURL(file)];
    this.show();
  }

  async #save() {
    const photo = this.#album.selected;
    const choices = this.#choices;
    save(await rendered(photo.result, choices), nameOf(photo, choices.format));
    this.#report.tell(`${nameOf(photo, choices.format)} is saved.`);
  }

  async #saveAll() {
    const choices = this.#choices;
    const photos = this.#album.photos.filter((photo) => photo.result);
    const names = distinct(photos.map((photo) => nameOf(photo, choices.format)));
    const files = [];
    for (const [index, photo] of photos.entries()) {
      this.#report.tell(`Writing ${index + 1} of ${photos.length}…`);
      files.push({ name: names[index], blob: await rendered(photo.result, choices) });
    }
    save(await zip(files), "cutouts.zip");
    this.#report.tell(`cutouts.zip with ${photos.length} pictures is saved.`);
  }

  /** A large picture takes a while. */
  async #busy(id, act) {
    element(id).disabled = true;
    try {
      await act();
    } catch (error) {
      this.#report.tell("");
      this.#report.problem(error);
    } finally {
      this.show();
    }
  }
}

/**
 * What the panel says; a number that is not possible counts as the nearest that is.
 *
 * @returns {import("./layout.js").Look}
 */
function chosenLook() {
  const margin = Math.min(50, Math.max(0, element("margin").valueAsNumber || 0)) / 100;
  const [size, position] = [element("size").value, element("position").value];
  const [x, y] = position.split(" ").map(Number);
  return {
    canvas: chosenPreset().canvas,
    margin: element("crop").checked ? margin : null,
    size: size ? Number(size) : null,
    position: position ? { x, y } : null,
    shadow: element("shadow").valueAsNumber / 100,
  };
}

/**
 * @param {Photo} photo
 * @param {import("./render.js").Format} format
 */
function nameOf(photo, { extension }) {
  const stem = photo.name.replace(/\.[^.]*$/, "") || "photo";
  return `${stem}-${photo.result.edit.settings.onlyMask ? "mask" : "cutout"}.${extension}`;
}

/**
 * Names for one folder: those that came before are numbered. Letters count whatever their case, as on most disks.
 *
 * @param {readonly string[]} names
 */
export function distinct(names) {
  const taken = new Set();
  return names.map((name) => {
    const [, stem, extension] = /** @type {RegExpExecArray} */ (/^(.*?)(\.[^.]*)?$/.exec(name));
    let free = name;
    for (let number = 2; taken.has(free.toLowerCase()); number += 1) free = `${stem}-${number}${extension ?? ""}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

/**
 * Has the browser save something.
 *
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

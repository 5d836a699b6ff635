/** The thumbnails: where each photo stands, which one is looked at, which ones failed, and away with it. */

import { element } from "../page/dom.js";

const WORDS = {
  new: "Not cut out yet",
  waiting: "Waiting",
  working: "Working…",
  done: "Done",
  empty: "No subject",
  failed: "Failed",
};
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** @typedef {import("./photo.js").Photo} Photo */

export class Strip {
  #list = element("thumbs");
  /** @type {Map<Photo, HTMLElement>} */
  #items = new Map();
  #showsOnlyFailed = false;
  #album;
  #onSelect;
  #onRemove;

  /**
   * @param {import("./album.js").Album} album
   * @param {{select: (photo: Photo) => void, remove: (photo: Photo) => void}} listeners
   */
  constructor(album, { select, remove }) {
    this.#album = album;
    this.#onSelect = select;
    this.#onRemove = remove;
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    element("only-failed").addEventListener("click", () => {
      this.#showsOnlyFailed = !this.#showsOnlyFailed;
      this.show();
    });
  }

  /** Shows the album as it is now. */
  show() {
    const { photos } = this.#album;
    element("strip").hidden = photos.length < 2;
    for (const [photo, item] of this.#items) {
      if (photos.includes(photo)) continue;
      item.remove();
      this.#items.delete(photo);
    }
    this.#showFilter(photos.filter(({ state }) => state === "failed").length);
    const shown = this.#shown;
    const stop = shown.includes(this.#album.selected) ? this.#album.selected : shown[0];
    for (const photo of photos) {
      const item = this.#items.get(photo) ?? this.#addItem(photo);
      item.hidden = !shown.includes(photo);
      this.#refresh(photo, item, photo === stop);
    }
  }

  #showFilter(failed) {
    const button = element("only-failed");
    if (failed === 0) this.#showsOnlyFailed = false;
    button.hidden = failed === 0;
    button.textContent = `Only failed (${failed})`;
    button.setAttribute("aria-pressed", String(this.#showsOnlyFailed));
  }

  get #shown() {
    const { photos } = this.#album;
    return this.#showsOnlyFailed ? photos.filter(({ state }) => state === "failed") : photos;
  }

  #addItem(photo) {
    const item = document.createElement("li");
    const [show, remove, word] = ["button", "button", "span"].map((tag) => document.createElement(tag));
    show.type = remove.type = "button";
    show.className = "show";
    show.append(photo.thumbnail, word);
    show.addEventListener("click", () => this.#onSelect(photo));
    remove.className = "remove";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Remove ${photo.name}`);
    remove.addEventListener("click", () => this.#remove(photo));
    item.title = photo.name;
    item.append(show, remove);
    this.#items.set(photo, item);
    this.#list.append(item);
    return item;
  }

  /** @param {boolean} isStop the one stop for Tab, however many photos there are; arrow keys go from one to the next */
  #refresh(photo, item, isStop) {
    const [show, remove] = item.children;
    const isSelected = photo === this.#album.selected;
    const word = photo.isChanged && !photo.isBusy ? "Changed" : WORDS[photo.state];
    item.dataset.state = photo.state;
    show.lastElementChild.textContent = word;
    show.setAttribute("aria-label", `${photo.name}: ${word}`);
    show.setAttribute("aria-current", String(isSelected));
    show.tabIndex = remove.tabIndex = isStop ? 0 : -1;
    if (isSelected && show.getAttribute("data-seen") !== "true") item.scrollIntoView({ block: "nearest" });
    show.setAttribute("data-seen", String(isSelected));
  }

  #key(event) {
    const { selected } = this.#album;
    const photos = this.#shown;
    if (event.ctrlKey || event.metaKey || event.altKey || !selected) return;
    if (event.key === "Delete") this.#remove(selected);
    else if (event.key in STEPS) this.#go(photos, photos.indexOf(selected) + STEPS[event.key]);
    else return;
    event.preventDefault();
  }

  #go(photos, to) {
    const photo = photos[Math.max(0, Math.min(photos.length - 1, to))];
    this.#onSelect(photo);
    this.#focus(photo);
  }

  /** The focus goes to the next one, or to where one adds photos. */
  #remove(photo) {
    this.#onRemove(photo);
    this.#focus(this.#album.selected);
  }

  #focus(photo) {
    const item = this.#items.get(photo);
    if (item && !element("strip").hidden) item.firstElementChild.focus();
    else element("choose").focus();
  }
}

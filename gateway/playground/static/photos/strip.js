/** The strip of thumbnails: where each photo stands, which one is looked at, and away with it. */

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
    for (const photo of photos) this.#refresh(photo, this.#items.get(photo) ?? this.#addItem(photo));
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

  #refresh(photo, item) {
    const [show, remove] = item.children;
    const isSelected = photo === this.#album.selected;
    const word = photo.isChanged && !photo.isBusy ? "Changed" : WORDS[photo.state];
    item.dataset.state = photo.state;
    show.lastElementChild.textContent = word;
    show.setAttribute("aria-label", `${photo.name}: ${word}`);
    show.setAttribute("aria-current", String(isSelected));
    // One stop for Tab, however many photos there are; arrow keys go from one to the next.
    show.tabIndex = remove.tabIndex = isSelected ? 0 : -1;
    if (isSelected && show.getAttribute("data-seen") !== "true") item.scrollIntoView({ block: "nearest" });
    show.setAttribute("data-seen", String(isSelected));
  }

  #key(event) {
    const { photos, selected } = this.#album;
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

/** The thumbnails: where each photo stands, which one is looked at, which ones need a look, and away with it. */

import { chosen, element } from "../page/dom.js";

const WORDS = {
  new: "Not cut out yet",
  waiting: "Waiting",
  working: "Working…",
  done: "Done",
  empty: "No subject",
  failed: "Failed",
};
/** Which photos are shown, by the value of their radio button. */
const FILTERS = {
  all: () => true,
  doubtful: ({ isDoubtful }) => isDoubtful,
  failed: ({ state }) => state === "failed" || state === "empty",
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
    element("filter").addEventListener("change", () => this.show());
    element("as-grid").addEventListener("click", () => this.#showGrid(!this.#isGrid));
  }

  /** Shows the album as it is now. */
  show() {
    const { photos } = this.#album;
    element("strip").hidden = photos.length < 2;
    if (photos.length < 2) this.#showGrid(false);
    for (const [photo, item] of this.#items) {
      if (photos.includes(photo)) continue;
      item.remove();
      this.#items.delete(photo);
    }
    this.#showFilter(photos);
    const shown = this.#shown;
    const stop = shown.includes(this.#album.selected) ? this.#album.selected : shown[0];
    for (const photo of photos) {
      const item = this.#items.get(photo) ?? this.#addItem(photo);
      item.hidden = !shown.includes(photo);
      this.#refresh(photo, item, photo === stop);
    }
  }

  /** A filter that finds nothing any more gives way to all. */
  #showFilter(photos) {
    const counts = Object.entries(FILTERS).map(([name, filter]) => [name, photos.filter(filter).length]);
    for (const [name, count] of counts) {
      element(`count-${name}`).textContent = String(count);
      element(`filter-${name}`).disabled = count === 0;
    }
    element("filter").hidden = counts.every(([name, count]) => name === "all" || count === 0);
    if (element(`filter-${chosen("filter")}`).disabled) element("filter-all").checked = true;
  }

  get #shown() {
    return this.#album.photos.filter(FILTERS[chosen("filter")]);
  }

  get #isGrid() {
    return element("as-grid").getAttribute("aria-pressed") === "true";
  }

  /** All photos at once, in the place of the one that is looked at. */
  #showGrid(isGrid) {
    element("as-grid").setAttribute("aria-pressed", String(isGrid));
    element("work").toggleAttribute("data-grid", isGrid);
  }

  #addItem(photo) {
    const item = document.createElement("li");
    const [show, remove, word] = ["button", "button", "span"].map((tag) => document.createElement(tag));
    show.type = remove.type = "button";
    show.className = "show";
    show.append(photo.thumbnail, word);
    show.addEventListener("click", () => {
      this.#showGrid(false);
      this.#onSelect(photo);
    });
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
    const word = this.#word(photo);
    item.dataset.state = photo.state;
    item.toggleAttribute("data-doubtful", photo.isDoubtful);
    show.lastElementChild.textContent = word;
    show.setAttribute("aria-label", `${photo.name}: ${word}`);
    show.setAttribute("aria-current", String(isSelected));
    show.tabIndex = remove.tabIndex = isStop ? 0 : -1;
    if (isSelected && show.getAttribute("data-seen") !== "true") item.scrollIntoView({ block: "nearest" });
    show.setAttribute("data-seen", String(isSelected));
  }

  #word(photo) {
    if (photo.isChanged && !photo.isBusy && !this.#album.isRefinable(photo)) return "Changed";
    if (photo.state !== "done" || photo.result.confidence === null) return WORDS[photo.state];
    if (photo.edit.strokes.length > 0) return "Corrected";
    return `${photo.isDoubtful ? "Review" : "Done"}, ${Math.round(photo.result.confidence * 100)} %`;
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

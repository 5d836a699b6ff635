/** Where the canvas with the picture lies on the surface: zoom and pan, by wheel, keys, buttons, and two fingers. */

import { setPixels } from "../page/dom.js";
import { unchanged } from "../saving/layout.js";

const LARGEST_SCALE = 32;
const STEP = 1.25;
const WHEEL_STEP = 1.0015;
const KEY_PAN_PX = 40;
const LARGEST_FIT = 3;
const MARGIN_PX = 24;
const KEPT_PX = 20;
/** From this scale on single pixels are what one wants to see. */
const PIXELATED_FROM = 4;

/** @typedef {{x: number, y: number}} Point */

export class View {
  #surface;
  #listeners = [];
  /** @type {import("../saving/layout.js").Layout} */
  #layout = unchanged({ widthPx: 0, heightPx: 0 });
  #isFitted = true;
  #place = { x: 0, y: 0, scale: 1 };

  /** @param {HTMLElement} surface */
  constructor(surface) {
    this.#surface = surface;
    surface.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    surface.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => (this.#isFitted ? this.fit() : this.#changed())).observe(surface);
  }

  /** @param {() => void} listener called whenever the picture has moved */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** @param {import("../saving/layout.js").Layout} layout on a canvas; if that has the same size, the zoom stays */
  show(layout) {
    const isResized = layout.widthPx !== this.size.widthPx || layout.heightPx !== this.size.heightPx;
    this.#layout = layout;
    if (isResized) this.fit();
    else this.#changed();
  }

  get isEmpty() {
    return this.size.widthPx === 0;
  }

  /** Of the canvas; that of the picture where all of it is shown as it is. */
  get size() {
    return this.#layout;
  }

  /** Where the picture lies on the canvas, in pixels of that. */
  get picture() {
    return this.#layout.picture;
  }

  get scale() {
    return this.#place.scale;
  }

  /** The picture's rectangle on the surface, in CSS pixels. */
  get rectangle() {
    const { x, y, scale } = this.#place;
    const { widthPx, heightPx } = this.size;
    // Whole pixels: layers that end between two would show each other at their edges.
    const [left, top, width, height] = [x, y, widthPx * scale, heightPx * scale].map(Math.round);
    return { x: left, y: top, width, height };
  }

  /**
   * @param {{clientX: number, clientY: number}} event
   * @returns {Point} in pixels of the picture, not rounded, maybe outside
   */
  toPicture(event) {
    const { x, y } = this.#toSurface(event);
    return { x: (x - this.#place.x) / this.scale, y: (y - this.#place.y) / this.scale };
  }

  /** Makes the whole picture fit; a small one is enlarged a little. */
  fit() {
    const { width, height } = this.#room();
    const { widthPx, heightPx } = this.size;
    this.#centre(Math.min(LARGEST_FIT, (width - MARGIN_PX) / widthPx, (height - MARGIN_PX) / heightPx));
    this.#isFitted = true;
  }

  /** One pixel of the picture on one of the page. */
  real() {
    this.#centre(1);
  }

  /** @param {1 | -1} direction */
  step(direction) {
    const { width, height } = this.#room();
    this.#zoom(STEP ** direction, { x: width / 2, y: height / 2 });
  }

  /**
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} event stays over the same pixel
   */
  zoomAt(factor, event) {
    this.#zoom(factor, this.#toSurface(event));
  }

  /**
   * @param {number} dx in CSS pixels
   * @param {number} dy in CSS pixels
   */
  panBy(dx, dy) {
    const { x, y, scale } = this.#place;
    this.#move({ x: x + dx, y: y + dy, scale });
  }

  #room() {
    return { width: this.#surface.clientWidth, height: this.#surface.clientHeight };
  }

  #toSurface({ clientX, clientY }) {
    const { left, top } = this.#surface.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #centre(scale) {
    const { width, height } = this.#room();
    const { widthPx, heightPx } = this.size;
    this.#move({ x: (width - widthPx * scale) / 2, y: (height - heightPx * scale) / 2, scale });
  }

  #zoom(factor, at) {
    const { x, y, scale } = this.#place;
    const smallest = Math.min(1, 16 / Math.max(this.size.widthPx, this.size.heightPx));
    const wanted = Math.min(LARGEST_SCALE, Math.max(smallest, scale * factor));
    const ratio = wanted / scale;
    this.#move({ x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio, scale: wanted });
  }

  #move(place) {
    if (this.isEmpty) return;
    this.#isFitted = false;
    this.#place = { ...place, ...this.#kept(place) };
    this.#changed();
  }

  /** Keeps an edge of the picture on the surface. */
  #kept({ x, y, scale }) {
    const { width, height } = this.#room();
    return {
      x: Math.min(width - KEPT_PX, Math.max(KEPT_PX - this.size.widthPx * scale, x)),
      y: Math.min(height - KEPT_PX, Math.max(KEPT_PX - this.size.heightPx * scale, y)),
    };
  }

  #changed() {
    const { x, y, width, height } = this.rectangle;
    setPixels(this.#surface, { x, y, w: width, h: height });
    this.#placePicture();
    this.#surface.classList.toggle("pixelated", this.scale >= PIXELATED_FROM);
    for (const listener of this.#listeners) listener();
  }

  /** In parts of the canvas, whose edges are rounded. */
  #placePicture() {
    const { widthPx, heightPx, picture } = this.#layout;
    const [across, down] = [100 / (widthPx || 1), 100 / (heightPx || 1)];
    const parts = { left: picture.x * across, top: picture.y * down };
    const sides = { width: picture.width * across, height: picture.height * down };
    for (const [name, percent] of Object.entries({ ...parts, ...sides })) {
      this.#surface.style.setProperty(`--picture-${name}`, `${percent}%`);
    }
  }

  #wheel(event) {
    if (this.isEmpty) return;
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 16 : event.deltaY;
    this.zoomAt(WHEEL_STEP ** -pixels, event);
  }

  #key(event) {
    if (event.target !== this.#surface || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      "+": () => this.step(1),
      "=": () => this.step(1),
      "-": () => this.step(-1),
      0: () => this.fit(),
      1: () => this.real(),
      ArrowLeft: () => this.panBy(KEY_PAN_PX, 0),
      ArrowRight: () => this.panBy(-KEY_PAN_PX, 0),
      ArrowUp: () => this.panBy(0, KEY_PAN_PX),
      ArrowDown: () => this.panBy(0, -KEY_PAN_PX),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

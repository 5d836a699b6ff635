/** The brush and the eraser: lines over the picture that say what belongs to the subject. */

import { chosen, element } from "../page/dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** A line may be off by this part of its radius: the service takes 4 096 points for all lines together. */
const TOLERANCE = 0.1;

/** @typedef {import("../photos/edit.js").Stroke} Stroke */
/** @typedef {import("./view.js").Point} Point */

let strokes = 0;

export class Brush {
  #surface;
  #overlay = element("strokes");
  #cursor = element("brush");
  #view;
  #onStroke;
  /** @type {{widthPx: number, heightPx: number}} */
  #size = { widthPx: 0, heightPx: 0 };
  /** Where it is, in pixels of the photo. @type {Point} */
  #at = { x: 0, y: 0 };
  /** The line that is being drawn. @type {Stroke | null} */
  #stroke = null;
  /** Drawn, but not in the result yet. @type {readonly Stroke[]} */
  #waiting = [];

  /**
   * @param {HTMLElement} surface
   * @param {import("./view.js").View} view
   * @param {{stroke: (stroke: Stroke) => void, tool: () => void}} listeners told of a line that is finished, and of
   *   another tool
   */
  constructor(surface, view, { stroke, tool }) {
    this.#surface = surface;
    this.#view = view;
    this.#onStroke = stroke;
    element("tools").addEventListener("change", () => {
      this.#at = { x: this.#size.widthPx / 2, y: this.#size.heightPx / 2 };
      tool();
      this.#draw();
    });
    element("brush-size").addEventListener("input", () => this.#draw());
    view.listen(() => this.#draw());
    surface.addEventListener("pointermove", (event) => this.kind && this.#move(this.#pointOf(event)));
    // Before the view, which moves the picture by the same keys.
    surface.addEventListener("keydown", (event) => this.#key(event), true);
    surface.addEventListener("keyup", ({ key }) => key === "Shift" && this.#finish());
    surface.addEventListener("blur", () => this.#finish());
  }

  /** What it says of the pixels under it; null while it is put away. @returns {"keep" | "remove" | null} */
  get kind() {
    const tool = element("tools").hidden ? "compare" : chosen("tool");
    return tool === "compare" ? null : /** @type {"keep" | "remove"} */ (tool);
  }

  /** @param {{widthPx: number, heightPx: number}} size of the photo */
  set size(size) {
    this.#size = size;
    this.#overlay.setAttribute("viewBox", `0 0 ${size.widthPx || 1} ${size.heightPx || 1}`);
  }

  /** @param {readonly Stroke[]} strokes that the result does not have yet */
  show(strokes) {
    this.#waiting = strokes;
    this.#draw();
  }

  /** Puts it away. */
  rest() {
    this.#choose("compare");
  }

  /**
   * What a pointer that was put down does.
   *
   * @param {PointerEvent} event
   * @returns {import("./gestures.js").Drag}
   */
  begin(event) {
    this.#begin(this.#pointOf(event));
    return {
      move: (moved) => this.#extend(this.#pointOf(moved)),
      end: (isCancelled) => (isCancelled ? this.#drop() : this.#finish()),
    };
  }

  /** As large as it looks on the screen, whatever the zoom: a closer look makes it finer. */
  get #radiusPx() {
    return Math.max(1, Math.round(element("brush-size").valueAsNumber / 2 / this.#scale));
  }

  /** CSS pixels for one of the photo. */
  get #scale() {
    return (this.#view.scale * this.#view.picture.width) / (this.#size.widthPx || 1) || 1;
  }

  #pointOf(event) {
    const { x, y } = this.#view.toPicture(event);
    const { picture } = this.#view;
    const toPhoto = this.#size.widthPx / picture.width;
    return { x: (x - picture.x) * toPhoto, y: (y - picture.y) * toPhoto };
  }

  #begin({ x, y }) {
    const kind = this.kind;
    if (!kind) return;
    this.#stroke = { id: ++strokes, kind, points: [[Math.round(x), Math.round(y)]], radiusPx: this.#radiusPx };
    this.#move({ x, y });
  }

  #extend({ x, y }) {
    const { points, radiusPx } = this.#stroke ?? { points: [], radiusPx: 0 };
    const [lastX, lastY] = points.at(-1) ?? [x, y];
    const isFar = Math.hypot(x - lastX, y - lastY) >= Math.max(1, radiusPx * TOLERANCE);
    if (isFar) points.push([Math.round(x), Math.round(y)]);
    this.#move({ x, y });
  }

  /** A line beside the photo says nothing. */
  #finish() {
    const stroke = this.#stroke;
    this.#drop();
    if (!stroke?.points.some((point) => this.#touches(point, stroke.radiusPx))) return;
    this.#onStroke({ ...stroke, points: simplified(stroke.points, Math.max(1, stroke.radiusPx * TOLERANCE)) });
  }

  #touches([x, y], radiusPx) {
    const { widthPx, heightPx } = this.#size;
    return x > -radiusPx && y > -radiusPx && x < widthPx + radiusPx && y < heightPx + radiusPx;
  }

  #drop() {
    this.#stroke = null;
    this.#draw();
  }

  #move(point) {
    this.#at = point;
    this.#draw();
  }

  /** Arrows move it, and draw with Shift; Space and Enter mark the place. */
  #key(event) {
    if (!this.kind || event.target !== this.#surface || event.altKey || event.metaKey) return;
    const step = event.ctrlKey ? 1 : this.#radiusPx;
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    if (dx || dy) this.#step(dx * step, dy * step, event.shiftKey);
    else if (event.ctrlKey) return;
    else if (event.key === " " || event.key === "Enter") this.#dot();
    else if (event.key === "Escape") this.rest();
    else if (event.key === "[" || event.key === "]") this.#resize(event.key === "[" ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  #step(dx, dy, isDrawing) {
    const { widthPx, heightPx } = this.#size;
    const [x, y] = [Math.min(widthPx, Math.max(0, this.#at.x + dx)), Math.min(heightPx, Math.max(0, this.#at.y + dy))];
    if (isDrawing && !this.#stroke) this.#begin(this.#at);
    if (isDrawing) this.#extend({ x, y });
    else this.#move({ x, y });
  }

  #dot() {
    this.#begin(this.#at);
    this.#finish();
  }

  #resize(direction) {
    const size = element("brush-size");
    if (direction > 0) size.stepUp(4);
    else size.stepDown(4);
    this.#draw();
  }

  #choose(tool) {
    const radio = document.querySelector(`input[name="tool"][value="${tool}"]`);
    if (radio.checked) return;
    radio.checked = true;
    radio.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #draw() {
    const drawn = this.#stroke ? [...this.#waiting, this.#stroke] : this.#waiting;
    this.#overlay.replaceChildren(...drawn.map(line));
    this.#cursor.hidden = !this.kind;
    if (!this.kind) return;
    const { picture, scale } = this.#view;
    const { x, y } = this.#view.rectangle;
    const style = this.#cursor.style;
    this.#cursor.dataset.kind = this.kind;
    style.setProperty("--x", `${x + picture.x * scale + this.#at.x * this.#scale}px`);
    style.setProperty("--y", `${y + picture.y * scale + this.#at.y * this.#scale}px`);
    style.setProperty("--size", `${2 * this.#radiusPx * this.#scale}px`);
  }
}

/**
 * A line with fewer points (Ramer, Douglas and Peucker).
 *
 * @param {number[][]} points
 * @param {number} tolerancePx that a point left out may be off
 * @returns {number[][]}
 */
export function simplified(points, tolerancePx) {
  const [first, last] = [points[0], points.at(-1)];
  let [farthest, at] = [tolerancePx, 0];
  points.forEach((point, index) => {
    const offPx = distance(point, first, last);
    if (offPx > farthest) [farthest, at] = [offPx, index];
  });
  if (at === 0) return points.length < 2 ? points : [first, last];
  return [...simplified(points.slice(0, at + 1), tolerancePx).slice(0, -1), ...simplified(points.slice(at), tolerancePx)];
}

/** How far a point is from the straight line between two others. */
function distance([x, y], [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1);
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(x - x1 - part * dx, y - y1 - part * dy);
}

/** @param {Stroke} stroke a single point shows as a dot */
function line({ kind, points, radiusPx }) {
  const path = document.createElementNS(element("strokes").namespaceURI, "path");
  const [[x, y], ...others] = points;
  path.setAttribute("d", `M${x} ${y}${others.length ? "" : "h0"}${others.map(([x, y]) => `L${x} ${y}`).join("")}`);
  path.setAttribute("stroke-width", String(2 * radiusPx));
  path.setAttribute("class", kind);
  return path;
}

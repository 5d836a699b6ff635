/** The Box: limits of the subject, in pixels of the upright picture; left and top inside, right and bottom not. */

import { setPixels } from "../page/dom.js";

const STEP_PX = 10;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SIDES = /** @type {const} */ (["left", "top", "right", "bottom"]);

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */
/** @typedef {import("./view.js").Point} Point */

/**
 * The box in whole pixels within a picture, its corners in order, no side shorter than a pixel.
 *
 * @param {Box} box
 * @param {{widthPx: number, heightPx: number}} size
 * @returns {Box}
 */
export function clamped({ left, top, right, bottom }, { widthPx, heightPx }) {
  const [x1, x2] = span(left, right, widthPx);
  const [y1, y2] = span(top, bottom, heightPx);
  return { left: x1, top: y1, right: x2, bottom: y2 };
}

/**
 * @param {number} one
 * @param {number} other
 * @param {number} longest
 * @returns {[number, number]}
 */
function span(one, other, longest) {
  const from = Math.min(longest - 1, Math.max(0, Math.round(Math.min(one, other))));
  return [from, Math.min(longest, Math.max(from + 1, Math.round(Math.max(one, other))))];
}

export class BoxTool {
  /** Of the photo, whatever part of it is shown. */
  size = { widthPx: 0, heightPx: 0 };
  #element;
  #shade;
  #view;
  /** @type {Box | null} */
  #box = null;
  #onChange;

  /**
   * @param {HTMLElement} element
   * @param {HTMLElement} shade lies over the picture; what it holds casts a shadow around the box
   * @param {import("./view.js").View} view
   * @param {(box: Box | null, isContinued: boolean) => void} onChange told also whether the same drag, or a key that
   *   is held, goes on with a change
   */
  constructor(element, shade, view, onChange) {
    this.#element = element;
    this.#shade = shade;
    this.#view = view;
    this.#onChange = onChange;
    view.listen(() => this.#draw());
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  get box() {
    return this.#box;
  }

  /** @param {Box | null} box made to lie within the picture */
  set box(box) {
    this.#change(box, false);
  }

  /** Returns whether that is another box. */
  #change(box, isContinued) {
    const before = JSON.stringify(this.#box);
    this.#box = box && clamped(box, this.size);
    this.#draw();
    this.#onChange(this.#box, isContinued);
    return JSON.stringify(this.#box) !== before;
  }

  /** Puts a box over the middle, for whoever has no pointer to draw one. */
  add() {
    const { widthPx, heightPx } = this.size;
    this.box = { left: widthPx * 0.1, top: heightPx * 0.1, right: widthPx * 0.9, bottom: heightPx * 0.9 };
    this.#element.focus();
  }

  /**
   * What a pointer that was put down does: it moves an edge, or the box, or draws a new one.
   *
   * @param {PointerEvent} event
   */
  begin(event) {
    const start = this.#view.toPicture(event);
    const target = /** @type {HTMLElement} */ (event.target);
    const edges = target.dataset.edges?.split(" ");
    const box = this.#box;
    if (box && (edges || target === this.#element)) return this.#shifting(box, start, edges ?? [...SIDES]);
    return this.#dragging(({ x, y }) => ({ left: start.x, top: start.y, right: x, bottom: y }));
  }

  /**
   * @param {Box} box as it was
   * @param {Point} start
   * @param {readonly string[]} sides that follow the pointer
   */
  #shifting(box, start, sides) {
    return this.#dragging(({ x, y }) => this.#shifted(box, x - start.x, y - start.y, sides));
  }

  /**
   * @param {(point: Point) => Box} boxAt where the pointer is
   * @returns {import("./gestures.js").Drag} one change, however often it moves
   */
  #dragging(boxAt) {
    let isContinued = false;
    return {
      move: (event) => {
        isContinued = this.#change(boxAt(this.#view.toPicture(event)), isContinued) || isContinued;
      },
    };
  }

  /** Moves sides; all four of them stop together at the picture's edge, so that the box keeps its size. */
  #shifted(box, dx, dy, sides) {
    if (sides.length === SIDES.length) {
      dx = Math.max(-box.left, Math.min(this.size.widthPx - box.right, dx));
      dy = Math.max(-box.top, Math.min(this.size.heightPx - box.bottom, dy));
    }
    const moved = sides.map((side) => [side, box[side] + (side === "left" || side === "right" ? dx : dy)]);
    return { ...box, ...Object.fromEntries(moved) };
  }

  #key(event) {
    if (!this.#box || event.altKey || event.metaKey) return;
    const step = event.ctrlKey ? 1 : STEP_PX;
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    if (event.key === "Delete" || event.key === "Backspace") this.box = null;
    else if (dx || dy) {
      const sides = event.shiftKey ? ["right", "bottom"] : SIDES;
      this.#change(this.#shifted(this.#box, dx * step, dy * step, sides), event.repeat);
    } else return;
    event.preventDefault();
  }

  #draw() {
    this.#element.hidden = this.#shade.hidden = !this.#box;
    if (!this.#box) return;
    const { left, top, right, bottom } = this.#box;
    const { x, y } = this.#view.rectangle;
    const scale = this.#view.scale;
    const size = { w: (right - left) * scale, h: (bottom - top) * scale };
    setPixels(this.#element, { x: x + left * scale, y: y + top * scale, ...size });
    setPixels(this.#shade.firstElementChild, { left: left * scale, top: top * scale, ...size });
    this.#element.setAttribute("aria-label", `Box: left ${left}, top ${top}, right ${right}, bottom ${bottom}`);
  }
}

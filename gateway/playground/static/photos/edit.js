/** What is wanted of a photo, and the way back from it. */

/** @typedef {import("../service/client.js").Settings} Settings */
/** @typedef {import("../stage/box.js").Box} Box */

/**
 * @typedef {object} Stroke of the brush
 * @property {number} id
 * @property {"keep" | "remove"} kind
 * @property {number[][]} points in pixels of the upright photo
 * @property {number} radiusPx
 */

/** Never changed in place. */
export class Edit {
  /**
   * @param {Settings} settings
   * @param {Box | null} [box]
   * @param {readonly Stroke[]} [strokes] in the order in which they were drawn
   */
  constructor(settings, box = null, strokes = []) {
    this.settings = settings;
    this.box = box;
    this.strokes = strokes;
    /** The same for what gives the same result. */
    this.key = JSON.stringify([settings, box, strokes.map(({ id }) => id)]);
  }

  /** @param {{settings?: Settings, box?: Box | null, strokes?: readonly Stroke[]}} changes */
  with({ settings = this.settings, box = this.box, strokes = this.strokes }) {
    return new Edit(settings, box, strokes);
  }

  /**
   * Whether strokes and settings lead from there to here. Another Box may need another run of the network.
   *
   * @param {Edit} other
   */
  comesFrom({ box, strokes }) {
    return (
      JSON.stringify(box) === JSON.stringify(this.box) && strokes.every((stroke, at) => stroke === this.strokes[at])
    );
  }
}

/** Edits one after the other, of which one counts. */
export class History {
  /** @type {Edit[]} */
  #before = [];
  /** @type {Edit[]} */
  #after = [];

  /** @param {Edit} current */
  constructor(current) {
    this.current = current;
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  get canRedo() {
    return this.#after.length > 0;
  }

  /**
   * @param {Edit} edit
   * @param {boolean} [isContinued] of the change before, such as by a slider that is still held
   */
  change(edit, isContinued = false) {
    if (edit.key === this.current.key) return;
    if (!isContinued || !this.canUndo) this.#before.push(this.current);
    this.current = edit;
    this.#after = [];
  }

  undo() {
    this.#move(this.#before, this.#after);
  }

  redo() {
    this.#move(this.#after, this.#before);
  }

  #move(from, to) {
    const next = from.pop();
    if (!next) return;
    to.push(this.current);
    this.current = next;
  }
}

/** Changes of all values so far, in whose order they are set back. */
let changes = 0;

/**
 * A value that can be set back.
 *
 * @template T
 */
export class History {
  /** @type {{value: T, at: number}[]} */
  #before = [];

  /** @param {T} current never changed in place */
  constructor(current) {
    this.current = current;
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /** Which of all changes was the last one here; 0 where there is none to set back. */
  get changedAt() {
    return this.#before.at(-1)?.at ?? 0;
  }

  /**
   * @param {T} value
   * @param {boolean} [isContinued] of the change before, such as by a slider that is still held
   */
  change(value, isContinued = false) {
    if (JSON.stringify(value) === JSON.stringify(this.current)) return;
    if (!isContinued || !this.canUndo) this.#before.push({ value: this.current, at: ++changes });
    this.current = value;
  }

  undo() {
    const last = this.#before.pop();
    if (last) this.current = last.value;
  }
}

/**
 * A value that can be set back.
 *
 * @template T
 */
export class History {
  /** @type {T[]} */
  #before = [];

  /** @param {T} current never changed in place */
  constructor(current) {
    this.current = current;
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /**
   * @param {T} value
   * @param {boolean} [isContinued] of the change before, such as by a slider that is still held
   */
  change(value, isContinued = false) {
    if (JSON.stringify(value) === JSON.stringify(this.current)) return;
    if (!isContinued || !this.canUndo) this.#before.push(this.current);
    this.current = value;
  }

  undo() {
    this.current = this.#before.pop() ?? this.current;
  }
}

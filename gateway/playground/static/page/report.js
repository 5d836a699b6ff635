/** Tells the visitor what goes on and what went wrong. */

import { element } from "./dom.js";
import { ServiceError } from "../service/errors.js";

/** @param {string} text */
export function tell(text) {
  element("status").textContent = text;
}

/** @param {boolean} isBusy */
export function showBusy(isBusy) {
  element("progress").hidden = !isBusy;
  element("cancel").hidden = !isBusy;
  element("run").disabled = isBusy;
  element("stage").setAttribute("aria-busy", String(isBusy));
}

export function clearProblem() {
  element("problem").hidden = true;
}

/** @param {unknown} error */
export function showProblem(error) {
  const { message, detail = "", advice = "" } = /** @type {any} */ (error);
  const code = error instanceof ServiceError ? ` (code ${error.code})` : "";
  element("problem-title").textContent = message + code;
  element("problem-detail").textContent = detail === message ? "" : detail;
  element("problem-advice").textContent = advice && `What to do: ${advice}.`;
  element("problem").hidden = false;
}

/** @param {{total: number, used: number}} balance */
export function showBalance({ total, used }) {
  const left = total - used;
  const notation = left < 1_000_000 ? "standard" : "compact";
  const count = new Intl.NumberFormat("en", { notation });
  element("balance").textContent = `${count.format(left)} credits left`;
  element("balance").title = `${used} used of ${total}`;
  element("balance").hidden = false;
}

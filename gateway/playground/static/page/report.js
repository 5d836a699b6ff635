/** Tells the visitor what goes on and what went wrong: in words first, what the protocol says small beneath. */

import { element } from "./dom.js";

const NO_SUBJECT = {
  message: "No subject was found",
  advice: "select the subject with a box, or try another picture",
};

const NOTHING_LEFT = { message: "Nothing is left", advice: "undo the last stroke, or paint what to keep" };

/** @param {string} text */
export function tell(text) {
  if (element("status").textContent !== text) element("status").textContent = text;
}

/** @param {{value: number | null, max: number} | null} measure of the work, if any; no value if nobody knows how far it is */
export function showBusy(measure) {
  const [isBusy, bar] = [measure !== null, element("progress")];
  bar.hidden = !isBusy;
  bar.max = measure?.max ?? 1;
  if (typeof measure?.value === "number") bar.value = measure.value;
  else bar.removeAttribute("value");
  element("cancel").hidden = !isBusy;
  element("stage").setAttribute("aria-busy", String(isBusy));
}

/**
 * Shows one problem, or none.
 *
 * @param {any} error
 */
export function showProblem(error) {
  const { message = "", detail = "", advice = "", technical = "" } = error ?? {};
  const problem = element("problem");
  problem.classList.toggle("notice", error === NO_SUBJECT || error === NOTHING_LEFT);
  // What stays is not written again: a screen reader would say it once more.
  for (const [id, text] of Object.entries({
    "problem-title": message,
    "problem-detail": sentence(detail),
    "problem-advice": advice && `What to do: ${advice}.`,
    "problem-code": technical,
  })) {
    if (element(id).textContent !== text) element(id).textContent = text;
  }
  problem.hidden = !error;
}

/** What is wrong with a photo, or strange about its result. */
export function problemOf(photo) {
  if (photo?.state === "failed") return photo.error;
  if (photo?.state !== "empty") return null;
  return photo.result.edit.strokes.length > 0 ? NOTHING_LEFT : NO_SUBJECT;
}

/** Says how sure the service is of the result that is looked at. */
export function showConfidence(photo) {
  const { confidence = null, edit } = photo?.result ?? {};
  const chip = element("confidence");
  chip.hidden = confidence === null;
  if (confidence === null) return;
  const hint = edit.strokes.length > 0 ? ", and corrected" : photo.isDoubtful ? ": look at it closely" : "";
  const text = `How sure: ${Math.round(confidence * 100)} %${hint}`;
  if (chip.textContent !== text) chip.textContent = text;
  chip.classList.toggle("doubtful", photo.isDoubtful);
}

/** @param {import("../service/client.js").Balance} balance */
export function showBalance({ used, left }) {
  const count = new Intl.NumberFormat("en");
  const [isMetered, chip] = [left !== null, element("balance")];
  chip.textContent = isMetered ? `${count.format(left)} credits left` : `unmetered, ${count.format(used)} used`;
  chip.title = isMetered ? `${used} used of ${used + left}` : "This account may use as much as it likes";
  chip.hidden = false;
}

/** @param {string} text */
function sentence(text) {
  return text && `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}

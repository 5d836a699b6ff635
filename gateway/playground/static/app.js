/** Puts the page together: what the visitor does, and what comes of it. */

import { Access } from "./page/access.js";
import { element } from "./page/dom.js";
import { problemOf, showBalance, showBusy, showConfidence, showProblem, tell } from "./page/report.js";
import { SentRequest } from "./page/request.js";
import { DEFAULTS, SettingsForm } from "./page/settings.js";
import { followTheme } from "./page/theme.js";
import { Album } from "./photos/album.js";
import { followFiles, sorted } from "./photos/intake.js";
import { Queue } from "./photos/queue.js";
import { Run } from "./photos/run.js";
import { Strip } from "./photos/strip.js";
import { Saving } from "./saving/saving.js";
import { Stage } from "./stage/stage.js";

/** So many photos are cut out without a question where each has a price. */
const MOST_AT_ONCE = 10;
/** A control that moves on begins no correction. */
const SETTLED_MS = 400;

/** Of the page and not of one photo. @type {any} */
let problem = null;
/** Settles once all that was chosen so far is read. @type {Promise<unknown>} */
let reading = Promise.resolve();
/** Settles once the keys of a link have been checked. @type {Promise<unknown>} */
let checking = Promise.resolve();
/** The photo that the visitor picked: its failure stays on the stage. @type {import("./photos/photo.js").Photo | null} */
let picked = null;

/** Begins what was changed last. */
let correcting = 0;

const album = new Album(show);
const stage = new Stage(
  (box, isContinued) => {
    if (album.selected) album.changeBox(box, isContinued);
  },
  (stroke) => edited(() => album.draw(stroke)),
);
const form = new SettingsForm((settings, isContinued) => edited(() => album.change(settings, isContinued), SETTLED_MS));
const queue = new Queue(progress, complain);
const run = new Run();
const saving = new Saving(stage, album, { tell, problem: complain });
const strip = new Strip(album, { select, remove });
const request = new SentRequest();
const access = new Access({ kind: showProtocol, signedIn: () => (checking = check()) });

/** Shows everything as it is now. */
function show() {
  const { selected, edits, pending } = album;
  const { settings } = edits.current;
  selected?.recall();
  const result = selected && !album.isRefinable(selected) ? selected.result : null;
  stage.show(selected);
  saving.show();
  strip.show();
  request.show(selected?.request ?? null);
  form.show(fieldsOf(edits.current), result && fieldsOf(result.edit));
  element("correct").hidden = !selected && !edits.canUndo && !edits.canRedo;
  element("undo").disabled = !edits.canUndo;
  element("redo").disabled = !edits.canRedo;
  element("reset").disabled = JSON.stringify(settings) === JSON.stringify(DEFAULTS);
  element("spread").hidden = album.photos.length < 2;
  element("remove").hidden = album.photos.length !== 1; // of several, each has a button in the strip
  element("choose").textContent = selected ? "Add photos" : "Choose photos";
  element("run").textContent = buttonText(pending);
  element("run").disabled = pending.length === 0;
  showBusy(queue.isBusy && run.isCut ? run.measure : null);
  showConfidence(selected);
  document.body.toggleAttribute("data-idle", pending.length === 0 && !queue.isBusy);
  showProblem(problem ?? problemOf(selected));
}

/** @param {import("./photos/edit.js").Edit} edit */
function fieldsOf({ settings, box }) {
  return { ...settings, box };
}

/** @param {readonly import("./photos/photo.js").Photo[]} pending */
function buttonText(pending) {
  const [first] = pending;
  const count = pending.length > 1 ? ` ${pending.length} photos` : "";
  if (first?.state === "failed" && first.isChanged && album.canRefine && !first.base) return `Cut out${count} again`;
  if (first?.state === "failed" && !first.isChanged) return count ? `Try${count} again` : "Try again";
  if (first && pending.every((photo) => photo.isChanged)) return count ? `Apply to${count}` : "Apply";
  return `Cut out${count}`;
}

/** Shows how far the photos at work have come. */
function progress() {
  const { selected } = album;
  // The thumbnails tell of failures; the stage shows the last good result, unless the visitor picked another photo.
  if (selected?.state === "failed" && selected !== picked && run.lastDone) album.select(run.lastDone);
  if (!run.isOver || queue.isBusy) {
    if (queue.isBusy) tell(run.progress);
    else finish();
  }
  show();
}

async function finish() {
  const { isCut } = run;
  tell(run.summary);
  run.end();
  if (!isCut) return;
  try {
    accept(await access.client.balance());
  } catch {
    // What it is about has been said already.
  }
}

/** @param {import("./service/client.js").Balance} balance of keys that are right */
function accept(balance) {
  showBalance(balance);
  access.accept(balance);
}

/** @param {unknown} error */
function complain(error) {
  problem = error;
  show();
}

/** @param {import("./photos/photo.js").Photo} photo */
function select(photo) {
  problem = null;
  picked = photo;
  album.select(photo);
}

/** @param {import("./photos/photo.js").Photo} photo */
async function remove(photo) {
  const stopped = queue.drop(photo);
  run.forget(photo);
  album.remove(photo);
  await stopped.catch(complain);
}

/**
 * Makes a change, and has the service correct what it can.
 *
 * @param {() => void} change
 * @param {number} [pauseMs] during which another change may follow
 */
function edited(change, pauseMs = 0) {
  problem = null;
  change();
  clearTimeout(correcting);
  if (pauseMs > 0) correcting = setTimeout(correct, pauseMs);
  else correct();
}

function correct() {
  if (access.isComplete) start(album.correctable);
}

/**
 * Photos are cut out at once, unless nobody knows the keys, or there are many and each has its price.
 *
 * @param {readonly File[]} files
 * @param {boolean} [isSample]
 */
async function add(files, isSample = false) {
  const { photos, error } = sorted(files);
  problem = error;
  if (error) show();
  const added = read(photos);
  reading = Promise.all([reading, added]);
  if (isSample) return cutOut();
  await Promise.all([reading, checking]);
  const { pending } = album;
  const chosen = (await added).filter((photo) => pending.includes(photo));
  if (!access.isComplete) access.unfold();
  if (chosen.length > 0 && element("panel").reportValidity()) begin(chosen);
}

/** @param {readonly import("./photos/photo.js").Photo[]} photos that nobody has asked to cut out */
function begin(photos) {
  if (access.isUnmetered || photos.length <= MOST_AT_ONCE) start(photos);
  else tell(`${photos.length} photos are ready. Each costs credits: press Cut out.`);
}

/**
 * @param {readonly File[]} files
 * @returns {Promise<import("./photos/photo.js").Photo[]>}
 */
async function read(files) {
  const photos = [];
  for (const [index, file] of files.entries()) {
    const photo = await album.add(file);
    photos.push(photo);
    if (index === 0) {
      album.select(photo);
      stage.focus();
    }
    const { size } = photo;
    if (files.length > 1) tell(`${index + 1} of ${files.length} photos are read.`);
    else tell(size ? `${file.name}, ${size.widthPx} × ${size.heightPx} pixels` : file.name);
  }
  return photos;
}

/** Photos that are still being read are meant, too. */
async function cutOut() {
  if (!element("panel").reportValidity()) return;
  await reading;
  problem = null;
  start(album.pending);
}

/** @param {readonly import("./photos/photo.js").Photo[]} photos */
function start(photos) {
  if (photos.length === 0) return;
  run.add(photos, album.pending.some((photo) => photos.includes(photo)));
  queue.add(photos, access.client);
}

async function cancel() {
  try {
    tell("Cancelling…");
    run.cancel();
    await queue.cancel();
  } catch (error) {
    complain(error);
  }
}

async function check() {
  problem = null;
  try {
    accept(await access.client.balance());
    if (!queue.isBusy) tell(`The keys are right${album.selected ? "" : ": choose photos, or try a sample"}.`);
    begin(album.pending.filter(({ state }) => state === "new"));
  } catch (error) {
    problem = error;
    access.unfold();
  }
  show();
}

/** @param {boolean} isPair Runware's protocol has neither box nor hair optimization */
function showProtocol(isPair) {
  for (const part of document.querySelectorAll("[data-pair-only]")) part.hidden = !isPair;
  album.canRefine = isPair;
  stage.allowMarks(isPair);
}

followTheme();
followFiles({ add, refuse: complain });
element("panel").addEventListener("submit", (event) => {
  event.preventDefault();
  cutOut();
});
element("check").addEventListener("click", () => element("panel").reportValidity() && check());
element("cancel").addEventListener("click", cancel);
element("remove").addEventListener("click", () => {
  remove(album.selected);
  element("choose").focus();
});
element("undo").addEventListener("click", () => edited(() => album.undo()));
element("redo").addEventListener("click", () => edited(() => album.redo()));
element("reset").addEventListener("click", () => edited(() => album.change(DEFAULTS)));
element("spread").addEventListener("click", () => edited(() => album.spread()));
document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  // A field has an undo of its own.
  if (!(event.ctrlKey || event.metaKey) || event.altKey || target.matches("input:not([type=radio], [type=range])")) return;
  const key = event.key.toLowerCase();
  const id = key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : "";
  if (!id) return;
  event.preventDefault();
  element(id).click();
});
addEventListener("pagehide", () => queue.abandon());
show();

/** Puts the page together: what the visitor does, and what comes of it. */

import { Access } from "./page/access.js";
import { element } from "./page/dom.js";
import { problemOf, showBalance, showBusy, showProblem, tell } from "./page/report.js";
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

/** Of the page and not of one photo. @type {any} */
let problem = null;
/** Settles once all that was chosen so far is read. @type {Promise<unknown>} */
let reading = Promise.resolve();
/** Settles once the keys of a link have been checked. @type {Promise<unknown>} */
let checking = Promise.resolve();
/** The photo that the visitor picked: its failure stays on the stage. @type {import("./photos/photo.js").Photo | null} */
let picked = null;

const album = new Album(show);
const stage = new Stage((box, isContinued) => {
  if (album.selected) album.changeBox(box, isContinued);
});
const form = new SettingsForm((settings, isContinued) => album.change(settings, isContinued));
const queue = new Queue(progress, complain);
const run = new Run();
const saving = new Saving(stage, album, { tell, problem: complain });
const strip = new Strip(album, { select, remove });
const request = new SentRequest();
const access = new Access({ kind: showProtocol, signedIn: () => (checking = check()) });

/** Shows everything as it is now. */
function show() {
  const { selected, settings, pending } = album;
  const result = selected?.result;
  stage.show(selected);
  saving.show();
  strip.show();
  request.show(selected?.request ?? null);
  form.show({ ...settings, box: selected?.box ?? null }, result ? { ...result.settings, box: result.box } : null);
  element("undo").disabled = !album.canUndo;
  element("reset").disabled = JSON.stringify(settings) === JSON.stringify(DEFAULTS);
  element("spread").hidden = album.photos.length < 2;
  element("remove").hidden = album.photos.length !== 1; // of several, each has a button in the strip
  element("choose").textContent = selected ? "Add photos" : "Choose photos";
  element("run").textContent = buttonText(pending);
  element("run").disabled = pending.length === 0;
  showBusy(queue.isBusy ? run.measure : null);
  document.body.toggleAttribute("data-idle", pending.length === 0 && !queue.isBusy);
  showProblem(problem ?? problemOf(selected));
}

/** @param {readonly import("./photos/photo.js").Photo[]} pending */
function buttonText(pending) {
  const [first] = pending;
  const count = pending.length > 1 ? ` ${pending.length} photos` : "";
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
  tell(run.summary);
  run.end();
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
 * Photos are cut out at once where that costs nothing; a sample in any case.
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
  if (access.isUnmetered) start((await added).filter((photo) => pending.includes(photo)));
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
  run.add(photos);
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
  } catch (error) {
    problem = error;
    access.unfold();
  }
  show();
}

/** @param {boolean} isPair Runware's protocol has neither box nor hair optimization */
function showProtocol(isPair) {
  for (const part of document.querySelectorAll("[data-pair-only]")) part.hidden = !isPair;
  album.canBox = isPair;
  stage.allowBox(isPair);
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
element("undo").addEventListener("click", () => album.undo());
element("reset").addEventListener("click", () => album.change(DEFAULTS));
element("spread").addEventListener("click", () => album.spread());
addEventListener("pagehide", () => queue.abandon());
show();

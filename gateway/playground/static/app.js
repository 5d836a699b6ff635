/** Puts the page together: what the visitor does, and what comes of it. */

import { API, Client } from "./service/picpik.js";
import { curlCommand, shortened } from "./service/curl.js";
import { element } from "./page/dom.js";
import { asWebp, save } from "./saving/encode.js";
import { chosenFields, pairSliders } from "./page/settings.js";
import { Job, megabytes } from "./photos/job.js";
import { Photo } from "./photos/photo.js";
import { clearProblem, showBalance, showBusy, showProblem, tell } from "./page/report.js";
import { Stage } from "./stage/stage.js";
import { followTheme } from "./page/theme.js";

const stage = new Stage(showProblem);
/** @type {Job | null} */
let job = null;
let requestUrl = "";

function client() {
  return new Client(element("public-key").value.trim(), element("private-key").value.trim());
}

/** @param {File | undefined} file */
async function choose(file) {
  if (!file) return;
  clearProblem();
  const photo = await Photo.open(file);
  stage.showPhoto(photo);
  const { size } = photo;
  tell(size ? `${file.name}, ${size.widthPx} × ${size.heightPx} pixels` : file.name);
  element("run").disabled = job !== null;
}

async function cutOut() {
  const { photo, box } = stage;
  if (!photo || job) return;
  clearProblem();
  showBusy(true);
  const current = (job = new Job(client()));
  const startedAt = performance.now();
  try {
    const { blob, subjectFound } = await current.run(photo, chosenFields(box), { tell, sent: showRequest });
    if (stage.photo === photo) offer(await stage.showCutout(blob), photo);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    tell(subjectFound ? `Done in ${seconds} s.` : "Done, but no subject was found in this picture.");
    showBalance(await client().balance());
  } catch (error) {
    if (current.isCancelled) return;
    tell("Nothing was cut out.");
    showProblem(error);
  } finally {
    job = null;
    showBusy(false);
  }
}

async function cancel() {
  try {
    tell("Cancelling…");
    await job?.cancel();
    tell("Cancelled.");
  } catch (error) {
    showProblem(error);
  }
}

async function check() {
  clearProblem();
  if (!element("panel").reportValidity()) return;
  try {
    showBalance(await client().balance());
    tell("The keys are right.");
  } catch (error) {
    showProblem(error);
  }
}

/**
 * @param {string} url of the result
 * @param {Photo} photo
 */
function offer(url, photo) {
  const link = element("save-png");
  link.href = url;
  link.download = nameOf(photo, "png");
}

/**
 * @param {Photo} photo
 * @param {string} extension
 */
function nameOf(photo, extension) {
  const stem = photo.file.name.replace(/\.[^.]*$/, "") || "photo";
  return `${stem}-${element("only-mask").checked ? "mask" : "cutout"}.${extension}`;
}

async function saveWebp() {
  clearProblem();
  const button = element("save-webp");
  button.disabled = true; // a large picture takes a while
  tell("Writing the WebP…");
  try {
    const blob = await asWebp(element("result"), Number(element("webp-quality").value));
    save(blob, nameOf(stage.photo, "webp"));
    tell(`WebP of ${megabytes(blob.size)} saved.`);
  } catch (error) {
    showProblem(error);
  } finally {
    button.disabled = false;
  }
}

/**
 * @param {Record<string, unknown>} body
 * @param {Blob} bytes
 */
function showRequest(body, bytes) {
  URL.revokeObjectURL(requestUrl);
  requestUrl = URL.createObjectURL(bytes);
  element("save-request").href = requestUrl;
  element("curl").textContent = curlCommand(API);
  element("body").textContent = shortened(body);
  element("request").hidden = false;
}

async function copyCurl() {
  const pre = element("curl");
  // The clipboard is for secure pages only; elsewhere the command is selected, and the visitor copies it.
  if (!navigator.clipboard) {
    getSelection()?.selectAllChildren(pre);
    tell("The command is selected: copy it.");
    return;
  }
  try {
    await navigator.clipboard.writeText(pre.textContent);
    tell("Copied.");
  } catch (error) {
    showProblem(error);
  }
}

function showKey() {
  const [field, button] = [element("private-key"), element("show-key")];
  const isShown = field.type === "password";
  field.type = isShown ? "text" : "password";
  button.textContent = isShown ? "Hide" : "Show";
  button.setAttribute("aria-pressed", String(isShown));
}

function followFiles() {
  const [file, area] = [element("file"), element("stage")];
  for (const id of ["choose", "drop"]) element(id).addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    choose(file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => choose(event.clipboardData?.files[0]));
  // Wherever on the page: a browser would leave the page for a file that misses its place.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("dropping");
  });
  document.addEventListener("dragleave", () => area.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("dropping");
    choose(event.dataTransfer?.files[0]);
  });
}

followTheme();
pairSliders();
followFiles();
element("panel").addEventListener("submit", (event) => {
  event.preventDefault();
  cutOut();
});
element("cancel").addEventListener("click", cancel);
element("check").addEventListener("click", check);
element("show-key").addEventListener("click", showKey);
element("save-webp").addEventListener("click", saveWebp);
element("copy-curl").addEventListener("click", copyCurl);
addEventListener("pagehide", () => job?.abandon());

/** The picture's side of the page: the photo, the box on it, the result over it. */

import { BoxTool } from "./box.js";
import { Compare } from "./compare.js";
import { chosen, element } from "../page/dom.js";
import { LocalError } from "../service/errors.js";
import { followBoxNumbers, showBox } from "../page/settings.js";
import { followPointers, panning } from "./gestures.js";
import { sizeOf } from "../photos/photo.js";
import { View } from "./view.js";

const ZOOM_BUTTONS = ["zoom-out", "zoom-in", "zoom-fit", "zoom-real"];

/** @typedef {"empty" | "ready" | "done"} State nothing chosen; a photo to draw on; a result to look at */

export class Stage {
  #stage = element("stage");
  #surface = element("surface");
  #view = new View(this.#surface);
  #box = new BoxTool(element("box"), element("shade"), this.#view, (box) => this.#boxChanged(box));
  #compare;
  #onProblem;
  /** @type {import("../photos/photo.js").Photo | null} */
  #photo = null;
  #resultUrl = "";

  /** @param {(error: unknown) => void} onProblem */
  constructor(onProblem) {
    this.#onProblem = onProblem;
    const ids = ["after", "backdrop", "divider", "split", "surface"];
    this.#compare = new Compare(Object.fromEntries(ids.map((id) => [id, element(id)])), this.#view);
    followPointers(this.#surface, this.#view, (event) =>
      this.#state === "done" ? panning(this.#surface, this.#view, event) : this.#box.begin(event),
    );
    followBoxNumbers((box) => (this.#box.box = box));
    this.#followButtons();
  }

  get photo() {
    return this.#photo;
  }

  get box() {
    return this.#photo?.size ? this.#box.box : null;
  }

  /** @param {import("../photos/photo.js").Photo} photo takes the place of the one before */
  showPhoto(photo) {
    this.#photo?.close();
    this.#photo = photo;
    this.#showResult("");
    const canShow = photo.size !== null;
    const unshown = element("unshown");
    unshown.hidden = canShow;
    unshown.textContent = `This browser cannot show ${photo.file.name}. It can be sent all the same.`;
    element("before").hidden = !canShow;
    if (canShow) element("before").src = photo.url;
    this.#enter("ready");
    this.#view.show(photo.size ?? { widthPx: 0, heightPx: 0 });
    this.#box.box = null;
    this.#surface.tabIndex = 0;
    this.#surface.focus();
  }

  /**
   * @param {Blob} blob a result
   * @returns {Promise<string>} its address in memory
   */
  async showCutout(blob) {
    const url = URL.createObjectURL(blob);
    const size = await sizeOf(url);
    if (size === null) {
      URL.revokeObjectURL(url);
      throw new LocalError("The result cannot be shown", "try again");
    }
    this.#showResult(url);
    element("unshown").hidden = true;
    if (this.#view.isEmpty) this.#view.show(size);
    this.#enter("done");
    return url;
  }

  get #state() {
    return /** @type {State} */ (this.#stage.dataset.state);
  }

  /** @param {State} state with a photo, shown or not */
  #enter(state) {
    this.#stage.dataset.state = state;
    const isDone = state === "done";
    const isPhotoShown = this.#photo?.size !== null;
    element("drop").hidden = true;
    element("after").hidden = !isDone;
    element("compare").hidden = !isDone;
    element("show-result").hidden = isDone || !this.#resultUrl;
    element("box-keys").hidden = isDone || !isPhotoShown;
    this.#compare.show(isDone && isPhotoShown);
    for (const id of ZOOM_BUTTONS) element(id).disabled = !isDone && !isPhotoShown;
    this.#boxChanged(this.#box.box);
  }

  /** @param {string} url */
  #showResult(url) {
    if (this.#resultUrl) URL.revokeObjectURL(this.#resultUrl);
    this.#resultUrl = url;
    if (url) element("result").src = url;
    else element("result").removeAttribute("src");
  }

  /** @param {import("./box.js").Box | null} box */
  #boxChanged(box) {
    const button = element("box-toggle");
    const isDone = this.#state === "done";
    button.disabled = !this.#photo?.size;
    button.textContent = isDone ? "Edit box" : box ? "Remove box" : "Add box";
    button.setAttribute("aria-pressed", String(box !== null && !isDone));
    showBox(box);
  }

  #followButtons() {
    const view = this.#view;
    view.listen(() => (element("zoom-level").textContent = `${Math.round(view.scale * 100)} %`));
    element("zoom-in").addEventListener("click", () => view.step(1));
    element("zoom-out").addEventListener("click", () => view.step(-1));
    element("zoom-fit").addEventListener("click", () => view.fit());
    element("zoom-real").addEventListener("click", () => view.real());
    element("box-toggle").addEventListener("click", () => this.#toggleBox());
    element("show-result").addEventListener("click", () => this.#enter("done"));
    for (const radio of document.querySelectorAll('input[name="backdrop"]')) {
      radio.addEventListener("change", () => this.#showBackdrop());
    }
    element("colour").addEventListener("input", () => this.#showBackdrop());
    element("scene-choose").addEventListener("click", () => element("scene").click());
    element("scene").addEventListener("change", () => this.#showScene(element("scene").files[0]));
  }

  #toggleBox() {
    if (this.#state === "done") this.#enter("ready");
    else if (this.#box.box) this.#box.box = null;
    else this.#box.add();
  }

  #showBackdrop() {
    const kind = chosen("backdrop");
    element("colour").hidden = kind !== "colour";
    element("scene-choose").hidden = kind !== "picture";
    if (kind === "colour") this.#compare.colour(element("colour").value);
    else if (kind === "picture" && this.#compare.hasScene) this.#compare.scene();
    else this.#compare.checker();
  }

  /** @param {File | undefined} file */
  async #showScene(file) {
    if (file && !(await this.#compare.picture(file))) {
      this.#onProblem(new LocalError(`This browser cannot show ${file.name}`, "choose a JPEG, PNG or WebP"));
    }
  }
}

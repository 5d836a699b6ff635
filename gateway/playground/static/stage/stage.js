/** The picture's side of the page: the photo, the box on it, the result over it. */

import { element } from "../page/dom.js";
import { followBoxNumbers, showBox } from "../page/settings.js";
import { unchanged } from "../saving/layout.js";
import { BoxTool } from "./box.js";
import { Brush } from "./brush.js";
import { Compare } from "./compare.js";
import { followPointers, panning } from "./gestures.js";
import { View } from "./view.js";

const NOTHING = { widthPx: 0, heightPx: 0 };
const LABELS = {
  move: "Picture. Arrow keys move it, plus and minus zoom, zero fits it in.",
  draw: "Picture with a brush. Arrow keys move it, with Shift they draw; Space marks the place, Escape puts it away.",
};

/** @typedef {"empty" | "ready" | "done"} State nothing chosen; a photo to draw on; a result to look at */

export class Stage {
  #stage = element("stage");
  #surface = element("surface");
  #view = new View(this.#surface);
  #box = new BoxTool(element("box"), element("shade"), this.#view, (box, isContinued) =>
    this.#boxChanged(box, isContinued),
  );
  #brush;
  #compare;
  #onBox;
  /** Whether the service can be told of a box and of strokes. */
  #canMark = true;
  /** @type {import("../photos/photo.js").Photo | null} */
  #photo = null;
  /** @type {import("../photos/photo.js").Result | null} */
  #result = null;
  /** Of the result that is shown; null until it is known. @type {import("../saving/render.js").Composition | null} */
  #composition = null;

  /**
   * @param {(box: import("./box.js").Box | null, isContinued: boolean) => void} onBox told of the box on the photo
   *   that is shown, and whether a pointer or a key goes on with a change
   * @param {(stroke: import("../photos/edit.js").Stroke) => void} onStroke told of a line on the result that is shown
   */
  constructor(onBox, onStroke) {
    this.#onBox = onBox;
    this.#brush = new Brush(this.#surface, this.#view, { stroke: onStroke, tool: () => this.#enter(this.#state) });
    const ids = ["after", "backdrop", "divider", "split", "surface"];
    this.#compare = new Compare(Object.fromEntries(ids.map((id) => [id, element(id)])), this.#view);
    followPointers(this.#surface, this.#view, (event) => {
      if (this.#brush.kind) return this.#brush.begin(event);
      if (this.#state === "ready" && this.#canMark) return this.#box.begin(event);
      return panning(this.#surface, this.#view, event);
    });
    followBoxNumbers((box) => (this.#box.box = box));
    this.#view.listen(() => this.#drawShadow());
    this.#followButtons();
  }

  /** @param {import("../photos/photo.js").Photo | null} photo with its result, where it has one */
  show(photo) {
    const result = photo?.result ?? null;
    const hope = photo?.state === "failed" ? "" : " The service may read it all the same.";
    element("unshown").textContent = `This browser cannot show ${photo?.name}.${hope}`;
    this.#brush.show(photo?.edit.strokes.filter((stroke) => !result?.edit.strokes.includes(stroke)) ?? []);
    if (photo === this.#photo && result === this.#result) return this.#followBox();
    const isOther = photo !== this.#photo;
    [this.#photo, this.#result] = [photo, result];
    if (isOther) this.#showPhoto();
    if (result) element("result").src = result.url;
    else element("result").removeAttribute("src");
    if (isOther) this.#composition = null;
    else this.#followBox();
    this.#enter(!photo ? "empty" : result ? "done" : "ready");
  }

  /** @param {boolean} canMark whether the service can be told of a box and of strokes */
  allowMarks(canMark) {
    this.#canMark = canMark;
    if (!canMark) this.#box.box = null;
    this.#enter(this.#state);
  }

  /**
   * @param {string} colour behind the cut-out
   * @param {string} url of a picture there
   */
  showBackdrop(colour, url) {
    this.#compare.fill(colour, url);
  }

  /**
   * Shows a result in its place; one that is looked at no more is left alone.
   *
   * @param {import("../photos/photo.js").Result} result
   * @param {import("../saving/render.js").Composition} composition
   */
  compose(result, composition) {
    if (result !== this.#result || JSON.stringify(composition) === JSON.stringify(this.#composition)) return;
    this.#composition = composition;
    this.#arrange();
  }

  focus() {
    this.#surface.focus();
  }

  get #state() {
    return /** @type {State} */ (this.#stage.dataset.state);
  }

  /** Shows a box that was set back. */
  #followBox() {
    const box = this.#photo?.edit.box ?? null;
    if (JSON.stringify(box) !== JSON.stringify(this.#box.box)) this.#box.box = box;
  }

  #showPhoto() {
    const photo = this.#photo;
    const canShow = Boolean(photo?.size);
    element("before").hidden = !canShow;
    if (canShow) element("before").src = photo.url;
    this.#view.show(unchanged(photo?.size ?? NOTHING));
    this.#view.fit();
    this.#box.size = photo?.size ?? NOTHING;
    this.#box.box = photo?.edit.box ?? null;
    this.#brush.size = photo?.size ?? NOTHING;
    this.#brush.rest();
    this.#surface.tabIndex = photo ? 0 : -1;
  }

  /** @param {State} state */
  #enter(state) {
    this.#stage.dataset.state = state;
    const [isDone, isEmpty] = [state === "done", state === "empty"];
    const isPhotoShown = Boolean(this.#photo?.size);
    element("drop").hidden = element("samples").hidden = !isEmpty;
    element("zoom").hidden = !isDone && !isPhotoShown;
    element("after").hidden = element("saving").hidden = !isDone;
    element("show-result").hidden = isDone || !this.#result;
    element("box-keys").hidden = isDone || !isPhotoShown || !this.#canMark;
    element("tools").hidden = !isDone || !isPhotoShown || !this.#canMark;
    const { kind } = this.#brush;
    element("brush-field").hidden = element("brush-keys").hidden = !kind;
    element("tool-hint").hidden = kind !== null || element("tools").hidden;
    this.#stage.toggleAttribute("data-drawing", kind !== null);
    this.#surface.setAttribute("aria-label", kind ? LABELS.draw : LABELS.move);
    element("unshown").hidden = isEmpty || isDone || isPhotoShown;
    this.#compare.show(isDone && isPhotoShown && !kind);
    this.#arrange();
    this.#boxChanged(this.#box.box);
  }

  /**
   * @param {import("./box.js").Box | null} box
   * @param {boolean} [isContinued]
   */
  #boxChanged(box, isContinued = false) {
    const button = element("box-toggle");
    const isDone = this.#state === "done";
    button.hidden = !this.#photo?.size || !this.#canMark;
    button.textContent = isDone || !box ? "Select the subject" : "Remove selection";
    button.setAttribute("aria-pressed", String(box !== null && !isDone));
    showBox(box);
    this.#onBox(box, isContinued);
  }

  /** A result lies as it will be saved, and the photo beside it with it; a box is drawn on the photo as it is. */
  #arrange() {
    const isDone = this.#state === "done";
    const size = (isDone && this.#result?.size) || this.#photo?.size || NOTHING;
    this.#view.show((isDone && this.#composition?.layout) || unchanged(size));
    this.#drawShadow();
  }

  #drawShadow() {
    const { shadow } = this.#composition ?? {};
    const { scale } = this.#view;
    element("result").style.filter = shadow
      ? `drop-shadow(0 ${shadow.dropPx * scale}px ${shadow.blurPx * scale}px rgb(0 0 0 / ${shadow.opacity}))`
      : "";
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
  }

  #toggleBox() {
    this.#brush.rest();
    if (this.#state === "done") this.#enter("ready");
    else if (this.#box.box) this.#box.box = null;
    else this.#box.add();
  }
}

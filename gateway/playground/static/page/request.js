/** The request that was sent last for the photo that is looked at, for whoever wants to send it from elsewhere. */

import { element } from "./dom.js";
import { tell } from "./report.js";

export class SentRequest {
  /** @type {import("../service/client.js").PreparedRequest | null} */
  #shown = null;
  #url = "";

  constructor() {
    element("copy-curl").addEventListener("click", () => this.#copy());
  }

  /** @param {import("../service/client.js").PreparedRequest | null} request */
  show(request) {
    if (request === this.#shown) return;
    this.#shown = request;
    URL.revokeObjectURL(this.#url);
    element("request").hidden = !request;
    if (!request) return;
    this.#url = URL.createObjectURL(request.bytes);
    element("save-request").href = this.#url;
    element("curl").textContent = request.curl;
    element("body").textContent = request.shown;
    element("file-command").textContent = request.fileCommand ?? "";
    element("by-file").hidden = !request.fileCommand;
  }

  async #copy() {
    const pre = element("curl");
    try {
      await navigator.clipboard.writeText(pre.textContent);
      tell("Copied.");
    } catch {
      // The clipboard is for secure pages only, and a browser may refuse it; the visitor copies, then.
      getSelection()?.selectAllChildren(pre);
      tell("The command is selected: copy it.");
    }
  }
}

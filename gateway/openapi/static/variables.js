/** What is put into requests in the place of `{{name}}`: a photo, keys, and what answers gave. */

import { element } from "../playground/page/dom.js";
import { randomUuid, resultUrl } from "../playground/service/http.js";

/** Shown in places of their own, or not to be shown. */
const UNLISTED = new Set(["picture", "public_key", "api_key", "$guid", "result_url"]);

export class Variables {
  /** @type {Record<string, string>} */
  #values = {};

  constructor() {
    element("choose").addEventListener("click", () => element("file").click());
    element("file").addEventListener("change", ({ target }) => this.#choose(target.files[0]));
  }

  /** @param {Record<string, string>} examples what they are to begin with */
  start(examples) {
    this.#values = { ...examples, ...this.#values };
    this.#show();
  }

  /** @param {import("../playground/service/credentials.js").Credentials} credentials */
  values({ publicKey, apiKey }) {
    return { ...this.#values, public_key: publicKey, api_key: apiKey, $guid: randomUuid() };
  }

  /**
   * Takes over what an answer gives.
   *
   * @param {Record<string, (string | number)[]>} gives members that lead to each variable's next value
   * @param {{text?: string}} response
   */
  learn(gives, { text = "" }) {
    for (const [name, path] of Object.entries(gives)) {
      const value = path.reduce((found, step) => found?.[step], parsed(text));
      if (typeof value === "string" && value) this.#values[name] = value;
    }
    this.#show();
  }

  async #choose(file) {
    if (!file) return;
    this.#values.picture = await dataUri(file);
    element("picture-name").textContent = file.name;
  }

  #show() {
    for (const [name, value] of Object.entries(this.#values)) {
      if (!UNLISTED.has(name)) rowOf(name).textContent = value;
    }
    const { result_url: url } = this.#values;
    element("result").hidden = !url;
    if (url) element("result").href = resultUrl(url).href;
  }
}

/** @param {string} name of a variable; its row is made when it is first asked for */
function rowOf(name) {
  const id = `variable-${name}`;
  const found = document.getElementById(id);
  if (found) return found;
  const [term, value] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  value.id = id;
  element("variables").append(term, value);
  return value;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * @param {File} file
 * @returns {Promise<string>}
 */
function dataUri(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

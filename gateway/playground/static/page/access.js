/** The visitor's keys: typed, brought by a link, or remembered for the tab. */

import { clientFor } from "../service/client.js";
import { handOver, remember, remembered, takeFromAddress, takeHandedOver } from "../service/credentials.js";
import { chosen, element } from "./dom.js";

const FIELDS = { publicKey: "public-key", privateKey: "private-key", apiKey: "api-key" };
const SECRETS = ["private-key", "api-key"];
const PAIR = ["public-key", "private-key"];

export class Access {
  #onKind;
  /** Of the account, once the service took these very keys. @type {import("../service/client.js").Balance | null} */
  #balance = null;

  /**
   * @param {{kind: (isPair: boolean) => void, signedIn: () => void}} listeners `kind` is told which protocol the keys
   *   are of, `signedIn` of keys that came by themselves
   */
  constructor({ kind, signedIn }) {
    this.#onKind = kind;
    for (const radio of document.querySelectorAll('input[name="key-kind"]')) {
      radio.addEventListener("change", () => this.#showKind());
    }
    element("show-key").addEventListener("click", () => this.#showSecrets());
    element("remember").addEventListener("change", () => this.#keep());
    element("keys").addEventListener("input", () => this.#change());
    for (const link of document.querySelectorAll("[data-same-keys]")) {
      link.addEventListener("click", (event) => this.#follow(/** @type {MouseEvent} */ (event)));
    }
    // A field that is wrong has to be seen to be filled in.
    element("panel").addEventListener("invalid", ({ target }) => this.#reveal(target), true);
    const arrive = () => this.#arrive(takeFromAddress(), signedIn);
    addEventListener("hashchange", arrive);
    // Coming back, perhaps from a page that never opened: no keys stay behind.
    addEventListener("pageshow", takeHandedOver);
    this.#showKind();
    const kept = remembered();
    element("remember").checked = kept !== null;
    const handedOver = takeHandedOver();
    // Once all parts of the page are put together.
    queueMicrotask(() => {
      this.#arrive(handedOver ?? kept, signedIn);
      arrive();
    });
  }

  /** @returns {import("../service/credentials.js").Credentials} */
  get credentials() {
    const keys = Object.entries(FIELDS).map(([name, id]) => [name, element(id).value.trim()]);
    return { kind: chosen("key-kind"), ...Object.fromEntries(keys) };
  }

  get client() {
    return clientFor(this.credentials);
  }

  get isComplete() {
    return Object.values(FIELDS).every((id) => element(id).disabled || element(id).value.trim());
  }

  /** Whether the service took these keys, and their account may cut out as much as it likes. */
  get isUnmetered() {
    return this.#balance?.left === null;
  }

  /**
   * Keys that the service took need no room any more.
   *
   * @param {import("../service/client.js").Balance} balance of their account
   */
  accept(balance) {
    this.#balance = balance;
    element("keys").open = false;
    const { kind, publicKey } = this.credentials;
    element("key-name").textContent = kind === "api-key" ? "API key" : `${publicKey.slice(0, 6)}…`;
  }

  /** Asks for what is missing. */
  unfold() {
    element("keys").open = true;
    element("key-name").textContent = "";
  }

  #arrive(credentials, signedIn) {
    if (!credentials) return;
    for (const [name, id] of Object.entries(FIELDS)) element(id).value = credentials[name];
    document.querySelector(`input[name="key-kind"][value="${credentials.kind}"]`).checked = true;
    this.#showKind();
    this.#change();
    if (this.isComplete) signedIn();
  }

  #change() {
    this.#balance = null;
    this.#keep();
  }

  /** A link that is opened in this tab takes the keys along. */
  #follow({ button, ctrlKey, metaKey, shiftKey, altKey }) {
    if (button === 0 && !(ctrlKey || metaKey || shiftKey || altKey)) handOver(this.credentials);
  }

  #keep() {
    remember(element("remember").checked ? this.credentials : null);
  }

  #showKind() {
    const isPair = chosen("key-kind") === "key-pair";
    element("pair-fields").hidden = !isPair;
    element("api-fields").hidden = isPair;
    for (const id of Object.values(FIELDS)) element(id).disabled = PAIR.includes(id) !== isPair;
    this.#onKind(isPair);
  }

  #showSecrets() {
    const button = element("show-key");
    const isShown = button.getAttribute("aria-pressed") !== "true";
    for (const id of SECRETS) element(id).type = isShown ? "text" : "password";
    button.textContent = isShown ? "Hide keys" : "Show keys";
    button.setAttribute("aria-pressed", String(isShown));
  }

  #reveal(field) {
    if (Object.values(FIELDS).includes(field.id)) this.unfold();
    else if (field.closest("details")) field.closest("details").open = true;
  }
}

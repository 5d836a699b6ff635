/** The visitor's keys: in the tab's memory, and in its session's storage where the visitor wants them there. */

const KEY = "cutgate-keys";
const HANDED_OVER = "cutgate-keys-handed-over";

/**
 * @typedef {object} Credentials
 * @property {"key-pair" | "api-key"} kind
 * @property {string} publicKey
 * @property {string} privateKey
 * @property {string} apiKey
 */

/**
 * The keys of a link that signs in, `#public_key=…&private_key=…` or `#api_key=…`, which no request carries. They are
 * taken out of the address at once, and out of the tab's history.
 *
 * @returns {Credentials | null}
 */
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const [publicKey, privateKey, apiKey] = ["public_key", "private_key", "api_key"].map((name) => given.get(name) ?? "");
  if (!publicKey && !privateKey && !apiKey) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return { kind: apiKey ? "api-key" : "key-pair", publicKey, privateKey, apiKey };
}

/** @returns {Credentials | null} */
export function remembered() {
  return read(KEY);
}

/** @param {Credentials | null} credentials null forgets them */
export function remember(credentials) {
  write(KEY, credentials);
}

/**
 * Leaves the keys for the page that this tab opens next, which takes them away.
 *
 * @param {Credentials} credentials
 */
export function handOver(credentials) {
  write(HANDED_OVER, credentials);
}

/** @returns {Credentials | null} what the page before handed over; nobody finds it again */
export function takeHandedOver() {
  const credentials = read(HANDED_OVER);
  write(HANDED_OVER, null);
  return credentials;
}

function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "null");
  } catch {
    return null; // a browser that refuses storage to a page throws
  }
}

function write(name, credentials) {
  try {
    if (credentials) sessionStorage.setItem(name, JSON.stringify(credentials));
    else sessionStorage.removeItem(name);
  } catch {
    // They last as long as the page, then.
  }
}

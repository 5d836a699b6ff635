/** The request that was sent, as a command that can be run. It may hold a signature, never a key. */

const SHOWN_CHARACTERS = 48;

/**
 * @param {URL} url where it goes
 * @param {object} body
 * @param {string} [key] a header that reads the key from the environment, where the body has no signature
 * @returns {import("./client.js").PreparedRequest}
 */
export function prepared(url, body, key) {
  const bytes = new Blob([JSON.stringify(body)], { type: "application/json" });
  return { bytes, curl: curlCommand(url, key), shown: shortened(body) };
}

/**
 * @param {URL} url
 * @param {string} [key] a header
 * @returns {string} sends `request.json` of the present folder
 */
function curlCommand(url, key) {
  const headers = ["'Content-Type: application/json'", ...(key ? [`"${key}"`] : [])];
  const words = [quoted(url.href), ...headers.map((header) => `--header ${header}`), "--data-binary @request.json"];
  return `curl ${words.join(" \\\n  ")}`;
}

/**
 * A file cut out by one command, in remove.bg's form.
 *
 * @param {URL} url
 * @param {boolean} onlyMask
 * @returns {string}
 */
export function fileCommand(url, onlyMask) {
  const fields = ["image_file=@photo.jpg", "size=full", "format=png", ...(onlyMask ? ["channels=alpha"] : [])];
  const key = '--header "X-Api-Key: $CUTGATE_API_KEY"';
  const words = [quoted(url.href), key, ...fields.map((field) => `--form ${field}`), "--output cutout.png"];
  return `curl --fail ${words.join(" \\\n  ")}`;
}

/** @param {string} text an argument for a POSIX shell */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The body with long texts cut, for reading.
 *
 * @param {object} body
 * @returns {string}
 */
function shortened(body) {
  return JSON.stringify(body, (_, value) => (typeof value === "string" ? cut(value) : value), 2);
}

/** @param {string} text */
function cut(text) {
  if (text.length <= 2 * SHOWN_CHARACTERS) return text;
  return `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`;
}

/** The request that was sent, as a command that can be run. It holds the signature, never the private key. */

const SHOWN_CHARACTERS = 48;

/**
 * @param {URL} api
 * @returns {string} sends `request.json` of the present folder
 */
export function curlCommand(api) {
  return [
    `curl ${quoted(api.href)} \\`,
    "  --header 'Content-Type: application/json' \\",
    "  --data-binary @request.json",
  ].join("\n");
}

/** @param {string} text an argument for a POSIX shell */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The body with long texts cut, for reading.
 *
 * @param {Record<string, unknown>} body
 * @returns {string}
 */
export function shortened(body) {
  return JSON.stringify(body, (_, value) => (typeof value === "string" ? cut(value) : value), 2);
}

/** @param {string} text */
function cut(text) {
  if (text.length <= 2 * SHOWN_CHARACTERS) return text;
  return `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`;
}

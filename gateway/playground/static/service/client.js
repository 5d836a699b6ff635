/** One account's way to the service, whichever protocol its keys are of. */

import { PicpikClient } from "./picpik.js";
import { RunwareClient } from "./runware.js";

/**
 * @typedef {object} Settings how a photo is cut out, in pixels and in levels of the mask from 0 to 255
 * @property {number} foreground
 * @property {number} background
 * @property {number} erode
 * @property {"auto" | "on" | "off"} hair PICPIK's alone
 * @property {boolean} onlyMask
 * @property {boolean} fillHoles
 */

/**
 * @typedef {object} PreparedRequest
 * @property {Blob} bytes the body as it is sent
 * @property {string} shown the body with long texts cut, for reading
 * @property {string} curl the command that sends it again from `request.json`; it holds no key
 * @property {string} [fileCommand] a command that cuts out a file without such a body, where the keys are for that
 */

/**
 * @typedef {object} Client
 * @property {(picture: string, settings: Settings, box: import("../stage/box.js").Box | null) =>
 *   Promise<PreparedRequest>} prepare the picture is a data URI
 * @property {(request: PreparedRequest, onSent: (part: number) => void, signal: AbortSignal) => Promise<string>} submit
 *   gives the task's name; `onSent` is told how much of the request is sent, 0 to 1
 * @property {(task: string, tell: (progress: string) => void, signal: AbortSignal) => Promise<string>} waitFor gives
 *   the address of the result; `tell` is told how far it is, in words
 * @property {boolean} canRefine whether a result can be corrected without another cut
 * @property {(task: string, correction: Correction, signal: AbortSignal) => Promise<string>} [refine] gives the name of
 *   the task that corrects the result of another one
 * @property {(task: string) => Promise<void>} terminate
 * @property {(task: string) => void} abandon the same while the page is being left: nobody hears the answer
 * @property {() => Promise<Balance>} balance
 */

/**
 * @typedef {object} Correction of a result, in pixels of the upright photo
 * @property {Settings} settings
 * @property {number[][][]} keep lines of points that the subject holds; they add to those of the result
 * @property {number[][][]} remove lines that it does not
 * @property {number} radiusPx of all lines
 */

/** @typedef {{used: number, left: number | null}} Balance credits; null where the account is not metered */

/**
 * @param {import("./credentials.js").Credentials} credentials
 * @returns {Client}
 */
export function clientFor({ kind, publicKey, privateKey, apiKey }) {
  return kind === "api-key" ? new RunwareClient(apiKey) : new PicpikClient(publicKey, privateKey);
}

/** What can go wrong between this page and the service: what it means, and what a visitor can do about it. */

/** @typedef {readonly [title: string, advice: string]} Words */

/** @type {Words} */
const TOO_MANY = ["Too many requests", "wait a moment and try again"];
/** @type {Words} */
const IN_TROUBLE = ["The service is in trouble", "try again in a moment, then tell its operator"];
/** @type {Words} */
const NO_CREDITS = ["No credits are left", "the account needs more credits"];
/** @type {Words} */
const NO_PICTURE = ["This file is not a picture", "choose a file of JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF"];
/** @type {Words} */
const WRONG_PICTURE = ["This picture cannot be used", "try another picture"];
/** @type {Words} */
const DAMAGED = ["This file is damaged", "choose another copy of it"];
/** @type {Words} */
const GONE = ["The result is gone", "press Cut out again: your corrections are kept"];
/** @type {Words} */
const TOO_LARGE = ["This file is too large", "send a smaller picture"];
/** @type {Words} */
const OUT_OF_DATE = ["This page does not fit the service", "reload the page"];

/** @type {Record<number, Words>} PICPIK's codes, of an answer (`RetCode`) or a task (`ErrorCode`) */
export const PICPIK_WORDS = {
  110: ["The service is in trouble", "try again in a moment"],
  130: IN_TROUBLE,
  150: [
    "The service cannot work just now",
    "try again in a moment; if no worker serves a model, the operator starts one or changes the account's model",
  ],
  153: TOO_MANY,
  160: ["The request did not arrive whole", "reload the page and try again"],
  161: OUT_OF_DATE,
  170: ["The private key is missing", "type both keys"],
  171: ["The private key is wrong", "check the private key"],
  172: ["The public key is wrong", "check the public key"],
  220: ["Something is missing", "fill in what the message names"],
  230: ["A setting is not possible", "change what the message names"],
  310: ["A setting is not possible", "change what the message names"],
  520: NO_CREDITS,
  1001: ["This picture cannot be cut out", "try another picture or other settings"],
  1002: ["The task was ended", "press Cut out to start again"],
  1003: ["The picture took too long", "try again later or with a smaller picture"],
};

/** @type {Record<string, Words>} Runware's */
export const RUNWARE_WORDS = {
  conflictTaskUUID: OUT_OF_DATE,
  insufficientCredits: NO_CREDITS,
  internalServerError: IN_TROUBLE,
  invalidApiKey: ["The API key is wrong", "check the API key"],
  invalidInputImage: WRONG_PICTURE,
  maxMessageSizeExceeded: TOO_LARGE,
  missingApiKey: ["The API key is missing", "type the API key"],
  processingFailed: ["This picture cannot be cut out", "try another picture or other settings"],
  rateLimitExceeded: TOO_MANY,
  serviceUnavailable: IN_TROUBLE,
  taskNotFound: ["The result is gone", "press Cut out to start again"],
  timeoutProvider: ["The picture took too long", "try again later or with a smaller picture"],
};

/** Codes that say something about the account: every other photo would meet the same. */
const OF_THE_ACCOUNT = new Set([170, 171, 172, 520, "invalidApiKey", "missingApiKey", "insufficientCredits"]);

/** The service refused a request, or could not do what it had accepted. */
export class ServiceError extends Error {
  /**
   * @param {number | string} code
   * @param {string} text the protocol's
   * @param {string} [detail] a sentence for people, where the service says more
   */
  constructor(code, text, detail = "") {
    const [title, advice] = wordsFor(code, text, detail);
    super(title);
    this.code = code;
    this.advice = advice;
    this.isFinal = title === NO_PICTURE[0] || title === DAMAGED[0];
    this.isGone = title === GONE[0];
    this.detail = this.isFinal ? "" : detail || (isSentence(code) ? text : "");
    this.technical = this.detail === text ? `Code ${code}` : `${text} (code ${code})`;
    this.concernsAll = OF_THE_ACCOUNT.has(code);
  }
}

/** No usable answer came. */
export class TransportError extends Error {
  /**
   * @param {string} reason
   * @param {number} [status] of an answer that could not be used; 0 where none came
   */
  constructor(reason, status = 0) {
    super("No usable answer came from the service");
    this.detail = "";
    this.advice = "check the connection, and that the service runs; then try again";
    this.technical = reason;
    this.concernsAll = status === 0 || status >= 500;
  }
}

/** Something on this side: a file, the browser. */
export class LocalError extends Error {
  /**
   * @param {string} message
   * @param {string} advice
   */
  constructor(message, advice) {
    super(message);
    this.advice = advice;
  }
}

/**
 * @param {number | string} code
 * @param {string} text
 * @param {string} detail
 * @returns {Words}
 */
function wordsFor(code, text, detail) {
  if (/^the bytes are not/.test(detail || text)) return NO_PICTURE;
  if (text.includes("truncated or damaged")) return DAMAGED;
  if (code === 230 && text.includes("RawImage")) return WRONG_PICTURE;
  if (code === 230 && /Task/.test(text)) return GONE;
  if (code === 230 && text === "Request body too large") return TOO_LARGE;
  return PICPIK_WORDS[code] ?? RUNWARE_WORDS[code] ?? ["The service refused", "change what the message names"];
}

/** Runware's texts are for people; so are those of PICPIK's tasks, not those of its answers. */
function isSentence(code) {
  return typeof code === "string" || code > 1000;
}

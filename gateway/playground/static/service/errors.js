/** What can go wrong between this page and the service, and what a visitor can do about it. */

/** What can be done about a code of the service. */
export const ADVICE = {
  110: "try again in a moment",
  130: "the service has a fault: try again in a moment, then tell its operator",
  150: "try again in a moment; if no worker serves a model, the operator starts one or changes the account's model",
  153: "too many requests: wait a moment and try again",
  160: "the request did not arrive whole: reload the page and try again",
  161: "this gateway does not know the action: reload the page",
  170: "type both keys",
  171: "check the private key",
  172: "check the public key",
  220: "fill in what the message names",
  230: "change what the message names",
  310: "change what the message names",
  520: "the account needs more credits",
  1001: "try another picture or other settings",
  1002: "press Cut out to start again",
  1003: "try again later or with a smaller picture",
};

/** The service refused a request, or could not do what it had accepted. */
export class ServiceError extends Error {
  /**
   * @param {number} code `RetCode` of an answer or `ErrorCode` of a task
   * @param {string} message the protocol's text
   * @param {string} [detail] a sentence for people, where the service says more
   */
  constructor(code, message, detail = "") {
    super(message);
    this.code = code;
    this.detail = detail;
  }

  get advice() {
    return ADVICE[this.code] ?? "";
  }
}

/** No usable answer came. */
export class TransportError extends Error {
  get advice() {
    return "check the connection, and that the service runs; then try again";
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

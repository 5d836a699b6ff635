/** PICPIK's protocol: requests signed here with a key pair. */

import { prepared } from "./curl.js";
import { ServiceError, TransportError } from "./errors.js";
import { API, listened, polled, post, randomUuid } from "./http.js";
import { sign, signInSlices } from "./signature.js";

const WAIT_SECONDS = 2;
const BOX_SIDES = ["left", "top", "right", "bottom"];
/** What a worker does, by the protocol's word for it. */
const PHASES = { reading: "Reading the photo…", computing: "Cutting out…", writing: "Writing the result…" };

/** @implements {import("./client.js").Client} */
export class PicpikClient {
  canRefine = true;
  #publicKey;
  #privateKey;

  /**
   * @param {string} publicKey names the account
   * @param {string} privateKey signs; it is no part of any request
   */
  constructor(publicKey, privateKey) {
    this.#publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  async prepare(picture, settings, box) {
    const params = this.#params("RemoveBackground", { RawImage: picture, ...fieldsOf(settings, box) });
    return prepared(API, { ...params, Signature: await signInSlices(params, this.#privateKey) });
  }

  /** A repeat is the same request, by which the service knows it and does no work twice. */
  async submit({ bytes }, onSent, signal) {
    return (await send(bytes, signal, onSent)).TaskUID;
  }

  async refine(task, { settings, keep, remove, radiusPx }, signal) {
    const lines = { ...(keep.length && { Keep: keep }), ...(remove.length && { Remove: remove }) };
    const fields = { TaskUID: task, Index: 0, ...fieldsOf(settings, null), ...lines };
    if (keep.length + remove.length > 0) fields.RadiusPx = radiusPx;
    return (await this.#call("RefineTask", fields, signal)).TaskUID;
  }

  async waitFor(task, tell, signal) {
    const end = await this.#ended(task, tell, signal);
    if (end.Status === "Error") throw new ServiceError(end.ErrorCode, end.ErrorMessage);
    return end.ImgList[0];
  }

  /**
   * Listens as long as the service tells of the task; one that has no room for a listener is asked.
   *
   * @returns {Promise<Record<string, any>>} what the service says of a task that has ended
   */
  async #ended(task, tell, signal) {
    const heard = (details) => {
      if (details.Status === "Finished" || details.Status === "Error") return details;
      tell(progressOf(details));
    };
    const fields = { TaskUIDList: [task] };
    for (let hasEvents = true; hasEvents; ) {
      const heardOut = await listened(API, this.#smallBody("ListTasksDetails", fields), heard, signal);
      if (heardOut.found) return heardOut.found;
      ({ hasEvents } = heardOut);
    }
    const held = { ...fields, WaitSeconds: WAIT_SECONDS };
    const ask = async () => heard((await this.#call("ListTasksDetails", held, signal)).TaskDetailList[0]);
    return polled(ask, WAIT_SECONDS, signal);
  }

  async terminate(task) {
    await this.#call("TerminateTask", { TaskUID: task });
  }

  abandon(task) {
    const body = this.#smallBody("TerminateTask", { TaskUID: task });
    const headers = { "Content-Type": "application/json" };
    fetch(API, { method: "POST", headers, body, keepalive: true }).catch(() => {});
  }

  async balance() {
    const { TotalCredits, UsedCredits, Metered } = await this.#call("GetCreditBalance", {});
    return { used: UsedCredits, left: Metered === false ? null : TotalCredits - UsedCredits };
  }

  #params(action, fields) {
    return { request_uuid: randomUuid(), ...fields, Action: action, PublicKey: this.#publicKey };
  }

  #smallBody(action, fields) {
    const params = this.#params(action, fields);
    return JSON.stringify({ ...params, Signature: sign(params, this.#privateKey) });
  }

  #call(action, fields, signal) {
    return send(this.#smallBody(action, fields), signal);
  }
}

/** @returns {string} how far a task is, in words */
function progressOf({ Status, Place, Phase }) {
  if (Status === "Running") return PHASES[Phase] ?? PHASES.computing;
  if (!Place) return "Waiting for a worker…";
  return Place === 1 ? "Waiting: it is next." : `Waiting: ${Place - 1} before it.`;
}

/**
 * @param {import("./client.js").Settings} settings
 * @param {import("../stage/box.js").Box | null} box
 * @returns {Record<string, unknown>} fields of `RemoveBackground`, without the picture
 */
function fieldsOf({ foreground, background, erode, hair, onlyMask, fillHoles }, box) {
  return {
    ForegroundThreshold: foreground,
    BackgroundThreshold: background,
    ErodeSize: erode,
    HairOptimization: hair,
    OnlyMask: onlyMask,
    Holes: fillHoles ? "fill" : "keep",
    ...(box && { Box: BOX_SIDES.map((side) => box[side]) }),
  };
}

/**
 * @param {BodyInit} body
 * @param {AbortSignal} [signal]
 * @param {(part: number) => void} [onSent]
 * @returns {Promise<Record<string, any>>} the answer of a success
 */
async function send(body, signal, onSent) {
  const { status, answer } = await post(API, { body, signal, onSent });
  if (typeof answer?.RetCode !== "number") {
    throw new TransportError(`HTTP ${status} with a body that is not the protocol's`, status);
  }
  if (answer.RetCode !== 0) throw new ServiceError(answer.RetCode, answer.Message, answer.Detail);
  return answer;
}

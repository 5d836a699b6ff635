/** PICPIK's protocol: requests signed here with a key pair. */

import { prepared } from "./curl.js";
import { ServiceError, TransportError } from "./errors.js";
import { API, polled, post, randomUuid } from "./http.js";
import { sign, signInSlices } from "./signature.js";

const WAIT_SECONDS = 2;
const BOX_SIDES = ["left", "top", "right", "bottom"];

/** @implements {import("./client.js").Client} */
export class PicpikClient {
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

  waitFor(task, isRunning, signal) {
    const ask = async () => {
      const fields = { TaskUIDList: [task], WaitSeconds: WAIT_SECONDS };
      const { TaskDetailList } = await this.#call("ListTasksDetails", fields, signal);
      const [{ Status, ImgList, ErrorCode, ErrorMessage }] = TaskDetailList;
      if (Status === "Error") throw new ServiceError(ErrorCode, ErrorMessage);
      if (Status === "Running") isRunning();
      return Status === "Finished" ? ImgList[0] : undefined;
    };
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

/** From a request of the viewer's to the one that is sent: variables put in, signed, or with the API key. */

import { API } from "../playground/service/http.js";
import { signInSlices } from "../playground/service/signature.js";

/**
 * @param {any} document with an operation for each call, under paths that differ behind a `#`
 * @param {string} url of a request
 */
export function operationNamed(document, url) {
  const { pathname, hash } = new URL(url, API);
  const path = `/${pathname.slice(API.pathname.length)}${hash}`;
  return Object.values(document.paths[path] ?? {})[0];
}

/**
 * Makes a request ready, in place.
 *
 * @param {any} request
 * @param {any} document
 * @param {import("../playground/service/credentials.js").Credentials} credentials
 * @param {Record<string, string>} values of variables
 * @returns {Promise<boolean>} whether it has the key that it needs; the service says so where it has not
 */
export async function prepare(request, document, credentials, values) {
  if (typeof request.body === "string") request.body = filled(request.body, values);
  const { pathname } = new URL(request.url, API);
  if (pathname === API.pathname) return sign(request, credentials);
  const needed = (operationNamed(document, request.url)?.security ?? []).flatMap(Object.keys);
  for (const name of credentials.apiKey ? needed : []) {
    const scheme = document.components.securitySchemes[name];
    if (scheme.type === "http") request.headers.Authorization = `Bearer ${credentials.apiKey}`;
    else request.headers[scheme.name] = credentials.apiKey;
  }
  return needed.length === 0 || credentials.apiKey !== "";
}

/**
 * @param {string} body
 * @param {Record<string, string>} values
 */
function filled(body, values) {
  return body.replace(/\{\{([$\w]+)\}\}/g, (braces, name) => values[name] ?? braces);
}

async function sign(request, { publicKey, privateKey }) {
  if (!publicKey || !privateKey) return false;
  const params = parsed(request.body);
  if (params) {
    request.body = JSON.stringify({ ...params, Signature: await signInSlices(params, privateKey) });
  }
  return true;
}

/** @param {string} text */
function parsed(text) {
  try {
    const body = JSON.parse(text);
    return body !== null && typeof body === "object" && !Array.isArray(body) ? body : null;
  } catch {
    return null;
  }
}

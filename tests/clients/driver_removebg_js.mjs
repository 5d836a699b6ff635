// What the tests do with `remove.bg` from npm, and with requests as the vendor's samples for Node write them.
// `node driver_removebg_js.mjs MODULE URL KEY PICTURE` prints one JSON object: what came of each scenario.
// The client has its host as a literal: what it sends there by `https.request` goes to the service.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";

const [module, url, key, path] = process.argv.slice(2);
const service = new URL(url);

https.request = (options, ...rest) => {
  if (options.hostname !== "api.remove.bg" && options.host !== "api.remove.bg") throw new Error("another host");
  const { agent, agentClass, ...kept } = options;
  const moved = { ...kept, protocol: "http:", host: service.hostname, hostname: service.hostname, port: service.port };
  return http.request(moved, ...rest);
};

const client = createRequire(import.meta.url)(module);
const outcome = async (call) => {
  try {
    return await call();
  } catch (errors) {
    return { errors: errors instanceof Error ? String(errors) : errors };
  }
};
const base64img = readFileSync(path).toString("base64");
const told = {};
told.base64 = await outcome(() => client.removeBackgroundFromImageBase64({ apiKey: key, base64img, crop: true }));
told.file = await outcome(() =>
  client.removeBackgroundFromImageFile({ apiKey: key, path, size: "regular", type: "auto", scale: "50%" }),
);
told.wrong_key = await outcome(() => client.removeBackgroundFromImageBase64({ apiKey: "no", base64img }));
told.wrong_size = await outcome(() => client.removeBackgroundFromImageBase64({ apiKey: key, base64img, size: "5k" }));

const form = new FormData();
form.append("size", "auto");
form.append("image_file", new Blob([readFileSync(path)]));
const answer = await fetch(`${url}/v1.0/removebg`, { method: "POST", headers: { "X-Api-Key": key }, body: form });
told.sample = {
  status: answer.status,
  type: answer.headers.get("content-type"),
  base64img: Buffer.from(await answer.arrayBuffer()).toString("base64"),
};
console.log(JSON.stringify(told));
process.exit(0);

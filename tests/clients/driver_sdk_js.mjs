// What the tests do with the official client `@runware/sdk-js`.
// `node driver_sdk_js.mjs MODULE URL KEY PICTURE` prints one JSON object: what came of each scenario. With a further
// word, `queued`, these are three asynchronous tasks at once.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, url, key, path, ...words] = process.argv.slice(2);
const { RunwareServer } = await import(pathToFileURL(module).href);

const picture = "data:image/png;base64," + readFileSync(path).toString("base64");
const MATTING = { alphaMatting: true, alphaMattingErodeSize: 12, alphaMattingForegroundThreshold: 230 };

const outcome = async (call) => {
  try {
    return await call();
  } catch (failure) {
    const error = failure?.error ?? failure;
    return { error: { code: error?.code, message: error?.message ?? String(error), parameter: error?.parameter } };
  }
};

const clientOf = (apiKey) => new RunwareServer({ apiKey, url, timeoutDuration: 100000, globalMaxRetries: 1 });
const removal = (fields) => ({ model: "runware:109@1", inputs: { image: picture }, ...fields });

const client = clientOf(key);
await client.ensureConnection();
const remove = (fields) => outcome(() => client.removeBackground(removal(fields)));

// An asynchronous task, asked for until its end, and then once more.
const polled = async () => {
  const first = await remove({ deliveryMethod: "async" });
  const again = await outcome(async () => [await client.getResponse({ taskUUID: first.taskUUID })].flat()[0]);
  return { first, again };
};
if (words.includes("queued")) {
  console.log(JSON.stringify({ queued: await Promise.all([1, 2, 3].map(polled)) }));
  process.exit(0);
}

const told = { defaults: await remove({}) };
for (const outputType of ["URL", "base64Data", "dataURI"]) {
  told[outputType] = await remove({ outputType, outputFormat: "PNG" });
}
told.matting = await remove({ settings: MATTING, outputFormat: "PNG" });
told.mask = await remove({ settings: { returnOnlyMask: true }, outputFormat: "PNG" });
const uploaded = await outcome(() => client.imageUpload({ image: picture }));
told.uploaded = uploaded;
told.upload = await remove({ inputs: { image: uploaded.imageUUID }, outputFormat: "PNG" });
told.hybrid = await outcome(() => client.removeBackground({ inputImage: picture, rgba: [1, 2, 3, 255] }));
told.cost = await remove({ includeCost: true });
told.invalid = await remove({ settings: { ...MATTING, alphaMattingErodeSize: 0 } });
told.async = await remove({ deliveryMethod: "async" });
const several = await Promise.all([1, 2, 3, 4, 5].map(() => remove({})));
told.several = { imageUUIDs: several.map((item) => item.imageUUID) };
await client.disconnect();
told.wrong_key = await outcome(async () => {
  const stranger = clientOf("wrong");
  await stranger.ensureConnection();
  return stranger.removeBackground(removal({}));
});

console.log(JSON.stringify(told));
process.exit(0);

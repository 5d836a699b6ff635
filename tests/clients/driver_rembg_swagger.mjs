// What the tests do with `swagger-client`, the client behind Swagger UI, on the description of rembg's own server.
// `node driver_rembg_swagger.mjs MODULE DESCRIPTION URL KEY PICTURE` prints one JSON object: what came of each scenario.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [module, description, url, key, path] = process.argv.slice(2);
const { default: SwaggerClient } = await import(pathToFileURL(module).href);

const spec = { ...JSON.parse(readFileSync(description)), servers: [{ url }] };
const { apis } = await new SwaggerClient({ spec });
const { post_index_api_remove_post: post, get_index_api_remove_get: get } = apis["Background Removal"];
const file = new File([readFileSync(path)], basename(path), { type: "image/png" });

const outcome = async (call) => {
  try {
    const { status, headers, data } = await call();
    return { status, type: headers["content-type"], bytes: data.size };
  } catch ({ status, response }) {
    const body = response.body ?? JSON.parse(await response.data.text());
    return { status, detail: body.detail };
  }
};
const bearer = (value) => ({ requestInterceptor: (request) => ((request.headers.Authorization = `Bearer ${value}`), request) });
const send = (fields, parameters = {}, options = {}) =>
  outcome(() => post(parameters, { requestBody: { file, ...fields }, ...options }));

console.log(
  JSON.stringify({
    plain: await send({}),
    model: await send({ model: "isnet-general-use" }, {}, bearer(key)),
    matted: await send({ a: true, af: 230, ab: 20, ae: 5 }),
    filled: await send({}, { bgc: "1,2,3,255" }),
    mask: await send({ om: true }),
    "wrong number": await send({ af: 999 }),
    "wrong key": await send({}, {}, bearer("wrong")),
    "wrong url": await outcome(() => get({ url: "http://127.0.0.1:1/a.png" })),
  }),
);

/** Puts the page together: the viewer, the visitor's keys, and what is put into a request when it is sent. */

import { Access } from "../playground/page/access.js";
import { element } from "../playground/page/dom.js";
import { followTheme } from "../playground/page/theme.js";
import { API } from "../playground/service/http.js";
import { allowPlainTags } from "./trusted.js";
import { Variables } from "./variables.js";
import { operationNamed, prepare } from "./sending.js";
import { shownCurl } from "./curl.js";

const DOCUMENT = new URL("docs/openapi.json", API).href;

allowPlainTags();
const access = new Access({ kind: () => {}, signedIn: () => {} });
const variables = new Variables();
followTheme((isDark) => document.documentElement.classList.toggle("dark-mode", isDark));

/** What the viewer shows, once it is there. @type {any} */
let shown = null;

const viewer = SwaggerUIBundle({
  domNode: element("viewer"),
  url: DOCUMENT,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // The viewer would send the document to a host of its own.
  validatorUrl: null,
  requestInterceptor: send,
  plugins: [
    () => ({
      // The keys are asked for beside the viewer, once for all.
      components: { authorizeBtn: () => null, authorizeOperationBtn: () => null },
      wrapComponents: { curl: shownCurl(() => access.credentials.apiKey) },
    }),
  ],
  onComplete: () => {
    shown = viewer.specSelectors.specJson().toJS();
    variables.start(shown["x-variables"]);
  },
});

/**
 * @param {any} request as the viewer made it
 * @returns {Promise<any>} as it is sent
 */
async function send(request) {
  if (request.loadSpec) return request;
  const operation = operationNamed(shown, request.url);
  const { credentials } = access;
  if (!(await prepare(request, shown, credentials, variables.values(credentials)))) {
    access.unfold();
    element("panel").reportValidity(); // takes the visitor to what is missing
  }
  request.responseInterceptor = (response) => {
    variables.learn(operation?.["x-gives"] ?? {}, response);
    return response;
  };
  return request;
}

/**
 * Lets the viewer show the document's texts, which it makes HTML of: tags without attributes, and a class at most.
 * All else that would turn text into a page or a script is refused by the browser itself.
 */

const PLAIN = /^(?:[^<]|<\/?[a-z][a-z0-9]*(?: class="[\w -]*")?\s*\/?>)*$/;
const REFUSED = /<\/?(?:script|style|iframe|object|embed|link|meta|base|form|svg|math|template)\b/;

export function allowPlainTags() {
  // A browser that knows no such policies needs none.
  globalThis.trustedTypes?.createPolicy("default", {
    createHTML: (html) => (PLAIN.test(html) && !REFUSED.test(html) ? html : null),
  });
}

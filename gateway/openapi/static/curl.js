/** The command that the viewer shows for a request: not with a photo of megabytes in it, and never with an API key. */

const LONGEST_CHARACTERS = 4_000;
const IN_ITS_PLACE = "$CUTGATE_API_KEY";

/**
 * Wraps the viewer's component.
 *
 * @param {() => string} apiKey
 */
export function shownCurl(apiKey) {
  return (Original, { React }) =>
    (props) => {
      const key = apiKey();
      const hidden = (text) => (key && typeof text === "string" ? text.replaceAll(key, IN_ITS_PLACE) : text);
      const request = props.request.update("body", hidden).update("headers", (headers) => headers?.map(hidden));
      if (request.get("body")?.length > LONGEST_CHARACTERS) {
        return React.createElement("p", null, "The command is too long to be shown: it holds a photo.");
      }
      return React.createElement(Original, { ...props, request });
    };
}

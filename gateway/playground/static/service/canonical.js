/**
 * Parameters → canonical string: names in order, each followed by the text of its value, with nothing in between.
 * Values are what `JSON.stringify` takes, and count as it counts them.
 */

/** The top-level member that is never part of the text. */
const SIGNATURE = "Signature";
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * The exact value in plain notation: no exponent, no zero fraction, no trailing zeros, `-0` as `0`.
 *
 * @param {string} text a number as it stands in JSON; it is never turned into a double
 * @returns {string}
 */
export function canonicalNumber(text) {
  const match = NUMBER.exec(text);
  if (!match) throw new RangeError(`${text} is no number of JSON`);
  const [, sign, whole, fraction = "", exponent = "0"] = match;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  const integer = digits.slice(0, Math.max(point, 0)).padEnd(point, "0").replace(/^0+(?=\d)/, "") || "0";
  const rest = point < 0 ? "0".repeat(-point) + digits : digits.slice(point);
  const decimals = rest.replace(/0+$/, "");
  const plain = decimals ? `${integer}.${decimals}` : integer;
  return plain === "0" ? "0" : sign + plain;
}

/**
 * The canonical string in pieces, so that no picture is copied.
 *
 * @param {Record<string, unknown>} params a request's parameters; a nested `Signature` is data
 * @returns {Generator<string>}
 */
export function* canonicalPieces(params) {
  const { [SIGNATURE]: _, ...unsigned } = params;
  yield* objectPieces(unsigned);
}

/** @param {Record<string, unknown>} members */
function* objectPieces(members) {
  for (const name of Object.keys(members).sort(byCodePoints)) {
    yield name;
    yield* valuePieces(members[name]);
  }
}

/** @param {unknown} value */
function* valuePieces(value) {
  if (value === null) return;
  const plain = value.valueOf();
  if (typeof plain === "number") yield canonicalNumber(String(value));
  else if (typeof plain !== "object") yield String(plain);
  else if (Array.isArray(plain)) for (const element of plain) yield* valuePieces(element);
  else yield* objectPieces(plain);
}

/**
 * The protocol's order. JavaScript's own goes by UTF-16 units, which puts U+1F600 before U+E000.
 *
 * @param {string} left
 * @param {string} right
 */
function byCodePoints(left, right) {
  const [ours, theirs] = [Array.from(left), Array.from(right)];
  for (let i = 0; i < Math.min(ours.length, theirs.length); i += 1) {
    const difference = ours[i].codePointAt(0) - theirs[i].codePointAt(0);
    if (difference !== 0) return difference;
  }
  return ours.length - theirs.length;
}

/** Parts of the page. All text goes in as text: nothing that a caller sent becomes markup. */

/** An element with properties and children, which are nodes or texts. */
export function make(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/** Show other children, unless that changes nothing: what is selected or focused stays. */
export function replace(parent, children) {
  const next = make("div", {}, ...children);
  if (parent.innerHTML !== next.innerHTML) parent.replaceChildren(...next.childNodes);
}

/** A table with these columns; some of them, by position, hold numbers. */
export function table(columns, rows, { numbers, none }) {
  if (!rows.length) return make("p", { className: "none" }, none);
  const cell = (name, value, n) => make(name, { className: numbers.includes(n) ? "number" : "" }, value);
  const head = make("tr", {}, ...columns.map((text, n) => Object.assign(cell("th", text, n), { scope: "col" })));
  const body = rows.map((row) => make("tr", {}, ...row.map((value, n) => cell("td", value ?? "–", n))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

const LONG = 40;

/** Names and values of an object, without those that are empty. */
export function definitions(facts) {
  const told = Object.entries(facts).filter(([, value]) => value !== null && value !== "");
  const pairs = told.map(([name, value]) => {
    const texts = [make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, value)];
    return make("div", { className: String(value).length > LONG ? "long" : "" }, ...texts);
  });
  return make("dl", { className: "pairs" }, ...pairs);
}

/** A task's id, which looks the task up. */
export function taskLink(uid, lookUp) {
  const link = make("button", { type: "button", className: "task", title: "What became of it?" }, uid);
  link.addEventListener("click", () => lookUp(uid));
  return link;
}

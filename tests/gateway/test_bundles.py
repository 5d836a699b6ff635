"""Tests of joining modules: the script runs as the modules would, and what is not understood is refused."""

import json
import subprocess

import pytest

from cutgate.gateway.bundles import BundleError, joined
from tests.browser.browser import driver_node

MODULES = {
    "app.js": """
import { add, Counter } from "./maths/sum.js";
import {
  NAME as title,
  wait,
} from "./words.js";

const NAME = "of the page";
const counter = new Counter(add(1, 2));
wait().then((word) => console.log(JSON.stringify([NAME, title, counter.value, word, [...counter.steps()]])));
""",
    "maths/sum.js": """/** Sums. */
import { NAME } from "../words.js";

/**
 * @param {import("../words.js").Word} one
 */
export function add(one, other) {
  return one + other;
}

export class Counter {
  constructor(value) {
    this.value = `${value} ${NAME}`; // import { nothing } from "./nowhere.js";
  }
  * steps() {
    yield* numbers();
  }
}

export function* numbers() {
  yield 1;
}
""",
    "words.js": """// What is said.
export const NAME = "words";
export async function wait() {
  return NAME.length;
}
""",
    "unused.js": "export const UNUSED = 1;",
}


def test_the_script_does_what_its_modules_do() -> None:
    script = joined("app.js", MODULES)
    done = subprocess.run(
        [driver_node(), "--input-type=module"], input=script, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["of the page", "words", "3 words", 5, [1]]
    assert [line for line in script.splitlines() if line.startswith("// ")] == [
        *("// words.js", "// maths/sum.js", "// app.js")
    ]
    assert "Sums." not in script


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('import value from "./words.js";', "app.js: `import value"),
        ('import * as words from "./words.js";', r"app.js: `import \* as"),
        ('import "./words.js";', 'app.js: `import "./words.js'),
        ("export default 1;", "app.js: `export default 1"),
        ("export let changed = 1;", "app.js: `export let"),
        ("const one = 1;\nexport { one };", "app.js: `export { one }"),
        ('export * from "./words.js";', r"app.js: `export \*"),
        ('import { NAME } from "./nowhere.js";', "app.js imports nowhere.js, which does not exist"),
        ('import { NAME } from "../words.js";', r"imports ../words.js, which does not exist"),
        ('import { numbers } from "./round.js";', "each other: app.js -> round.js -> app.js"),
    ],
)
def test_another_form_is_refused(text: str, told: str) -> None:
    round_about = 'import { one } from "./app.js";\nexport const numbers = 1;'
    with pytest.raises(BundleError, match=told):
        joined("app.js", {**MODULES, "app.js": text, "round.js": round_about})


def test_a_missing_entry_is_named() -> None:
    with pytest.raises(BundleError, match=r"the page imports page\.js, which"):
        joined("page.js", MODULES)

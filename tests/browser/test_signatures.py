"""Tests of the playground's signatures against every vector, stage by stage."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from cutgate.signing import sign_params
from tests.browser.visitor import visiting
from tests.servers.stack import LiveStack
from tests.signing.vector_cases import VECTORS

CASES = [case for case in VECTORS if not case.is_form]
"""A page sends JSON; what forms sign is text all through, and the same text."""
NO_DOUBLE = {"type_int_above_2_53", "type_int_30_digits"}
"""Vectors whose number a page cannot hold as a value; `test_canonical` has them as text."""
CANONICAL = """
async (bodies) => {
  const { canonicalPieces } = await import("/playground/service/canonical.js");
  // A number that keeps the text it has in the body, boxed as `new Number()` boxes one.
  class NumberText extends Number {
    constructor(text) { super(text); this.text = text; }
    toString() { return this.text; }
  }
  const keepText = (_, value, { source }) => (typeof value === "number" ? new NumberText(source) : value);
  return bodies.map((body) => [...canonicalPieces(JSON.parse(body, keepText))].join(""));
}
"""
SHA1 = """
async ([texts, partBytes]) => {
  const { Sha1 } = await import("/playground/service/sha1.js");
  return texts.map((text) => {
    const [hash, bytes] = [new Sha1(), new TextEncoder().encode(text)];
    for (let from = 0; from < bytes.length; from += partBytes) hash.update(bytes.subarray(from, from + partBytes));
    return hash.hex();
  });
}
"""
SIGN = """
async (cases) => {
  const { sign, signInSlices } = await import("/playground/service/signature.js");
  const found = [];
  for (const [params, key] of cases) found.push([sign(params, key), await signInSlices(params, key)]);
  return found;
}
"""
LARGE = """
async (megabytes) => {
  const { signInSlices } = await import("/playground/service/signature.js");
  const picture = "data:image/jpeg;base64," + "QUJD".repeat(megabytes * 2 ** 18);
  let turns = 0;
  const timer = setInterval(() => (turns += 1));
  const signature = await signInSlices({ RawImage: picture }, "key");
  clearInterval(timer);
  return { turns, signature };
}
"""


@pytest.fixture(scope="module")
def page(browser: Browser, stack: LiveStack) -> Iterator[Page]:
    with visiting(browser, stack) as visitor:
        visitor.open()
        yield visitor.page


def by_name(values: list[Any]) -> dict[str, Any]:
    return {case.name: value for case, value in zip(CASES, values, strict=True)}


def test_canonical(page: Page) -> None:
    found = page.evaluate(CANONICAL, [case.body.decode() for case in CASES])
    assert by_name(found) == {case.name: case.canonical for case in CASES}


@pytest.mark.parametrize("part_bytes", [1, 63, 64, 65, 4096])
def test_sha1(page: Page, part_bytes: int) -> None:
    texts = [case.canonical + case.private_key for case in CASES if len(case.canonical) < 10_000]
    texts += ["x" * length for length in range(130)]
    found = page.evaluate(SHA1, [texts, part_bytes])
    assert found == [hashlib.sha1(text.encode()).hexdigest() for text in texts]


def test_signature_from_values(page: Page) -> None:
    """From a page's own values, which are doubles."""
    found = by_name(page.evaluate(SIGN, [[case.file_params, case.private_key] for case in CASES]))
    expected = {case.name: [case.signature] * 2 for case in CASES}
    assert {name for name in expected if found[name] != expected[name]} == NO_DOUBLE


def test_lines_of_points_are_signed_as_the_service_signs_them(page: Page) -> None:
    lines = [[[0, 0], [10, 200]], [[-3, 65_536]], [[1, 2], [3, 4], [5, 6]]]
    params: dict[str, Any] = {
        "Action": "RefineTask",
        "Keep": lines,
        "Remove": [],
        "Index": 0,
        "RadiusPx": 12,
        "TaskUID": "d5",
    }
    found = page.evaluate(SIGN, [[params, "key"]])
    assert found == [[sign_params(params, "key")] * 2]


def test_a_large_picture_is_signed_and_the_page_stays_awake(page: Page) -> None:
    megabytes = 40
    found = page.evaluate(LARGE, megabytes)
    text = "RawImagedata:image/jpeg;base64," + "QUJD" * (megabytes * 2**18) + "key"
    assert found["signature"] == hashlib.sha1(text.encode()).hexdigest()
    assert found["turns"] >= megabytes / 2

"""Tests of the ZIP writer of the playground against Python's reader."""

import base64
import io
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.browser.visitor import visiting
from tests.servers.stack import LiveStack

ZIP = """
async (files) => {
  const { zip } = await import("/playground/saving/zip.js");
  const blobs = files.map(([name, text]) => ({ name, blob: new Blob([text]) }));
  const archive = await zip(blobs, new Date(2026, 10, 21, 9, 30, 14));
  const bytes = new Uint8Array(await archive.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
"""
TOO_MUCH = """
async ([count, bytes]) => {
  const { zip } = await import("/playground/saving/zip.js");
  await zip(Array.from({ length: count }, (_, at) => ({ name: `${at}`, blob: { size: bytes } })));
}
"""
DISTINCT = """
async (names) => (await import("/playground/saving/saving.js")).distinct(names)
"""


@pytest.fixture(scope="module")
def page(browser: Browser, quick_stack: LiveStack) -> Iterator[Page]:
    with visiting(browser, quick_stack) as visitor:
        visitor.open()
        yield visitor.page


def test_what_is_put_in_comes_out(page: Page) -> None:
    files = [("cat.png", "x" * 70_000), ("Žluťoučký kůň 🐈.png", "horse"), ("empty", "")]
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(page.evaluate(ZIP, [list(file) for file in files]))))
    assert archive.testzip() is None
    assert [(name, archive.read(name).decode()) for name in archive.namelist()] == files
    assert {info.date_time for info in archive.infolist()} == {(2026, 11, 21, 9, 30, 14)}
    assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_none_is_an_archive_too(page: Page) -> None:
    assert zipfile.ZipFile(io.BytesIO(base64.b64decode(page.evaluate(ZIP, [])))).namelist() == []


@pytest.mark.parametrize(("count", "size"), [(1, 2**32), (5, 2**30), (65_536, 0)])
def test_too_much_is_told_before_anything_is_read(page: Page, count: int, size: int) -> None:
    with pytest.raises(Error, match="This is too much for one ZIP"):
        page.evaluate(TOO_MUCH, [count, size])


def test_names_that_clash_are_numbered(page: Page) -> None:
    names = ["a.png", "A.png", "a.png", "a-2.png", "b.tar.png", ".png", "c", "c"]
    assert page.evaluate(DISTINCT, names) == [
        *("a.png", "A-2.png", "a-3.png", "a-2-2.png", "b.tar.png", ".png", "c", "c-2")
    ]

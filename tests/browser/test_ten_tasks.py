"""Ten tasks that people come to a background remover with: how many clicks and seconds each takes on the page.

The test writes the rows of the table in `docs/playground.md` into `out/playground/tasks.md`, with this machine's
seconds, and fails where that page says another number of clicks.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.browser.page.conftest import link
from tests.browser.test_flow import point_in
from tests.browser.visitor import CUT_MS, PHOTO, PICTURES, Visitor, visiting
from tests.servers.stack import ROOT, LiveStack

COFFEE = PHOTO.with_name("coffee.jpg")
NOT_A_PICTURE = b"no picture at all"
ROW = re.compile(r"^\| (?P<task>[^|]+?) \| (?P<clicks>\d+) \| [\d.]+ \|$", re.MULTILINE)


@dataclass
class Hand:
    """What a visitor does with a mouse or a finger, counted: a click, a drag, and two for a choice from a list."""

    visitor: Visitor
    clicks: int = 0
    rows: list[tuple[str, int, float]] = field(default_factory=list)

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        self.clicks = 0
        began = time.perf_counter()
        yield
        self.rows.append((name, self.clicks, time.perf_counter() - began))

    def click(self, target: Locator) -> None:
        self.clicks += 1
        target.click()

    def tap(self, target: Locator) -> None:
        self.clicks += 1
        target.tap()

    def pick(self, name: str, label: str) -> None:
        self.clicks += 2
        self.visitor.by_id(name).select_option(label=label)

    def drop(self, *photos: Path) -> None:
        self.clicks += 1
        self.visitor.by_id("file").set_input_files(photos)

    def paint(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag over the result, between parts of its width and height."""
        self.clicks += 1
        mouse = self.visitor.page.mouse
        mouse.move(*point_in(self.visitor, "result", *start))
        mouse.down()
        mouse.move(*point_in(self.visitor, "result", *end), steps=8)
        self.visitor.keep_picture("task-painting")
        mouse.up()

    def save(self, button: str) -> Path:
        with self.visitor.page.expect_download() as download:
            self.click(self.visitor.by_id(button))
        return Path(download.value.path())


def state(visitor: Visitor, name: str) -> Locator:
    return visitor.page.locator(f'#thumbs [data-state="{name}"]')


def test_ten_tasks(browser: Browser, stack: LiveStack, tmp_path: Path) -> None:
    with visiting(browser, stack) as visitor:
        visitor.open(link(stack))
        expect(visitor.by_id("balance")).to_be_visible()
        rows = [*one_photo(Hand(visitor)), *many_photos(Hand(visitor), tmp_path)]
    with visiting(browser, stack, size=(390, 844), is_mobile=True, has_touch=True) as visitor:
        visitor.open(link(stack))
        expect(visitor.by_id("balance")).to_be_visible()
        rows += on_a_phone(Hand(visitor))
    table = "\n".join(f"| {task} | {clicks} | {seconds:.1f} |" for task, clicks, seconds in rows)
    (PICTURES / "tasks.md").write_text(table + "\n", encoding="utf-8")
    page = (ROOT / "docs" / "playground.md").read_text(encoding="utf-8")
    told = [(row["task"], int(row["clicks"])) for row in ROW.finditer(page)]
    assert told == [(task, clicks) for task, clicks, _ in rows]


def one_photo(hand: Hand) -> list[tuple[str, int, float]]:
    visitor = hand.visitor
    with hand.task("Cut out a photo"):
        hand.drop(PHOTO)
        expect(visitor.by_id("stage")).to_have_attribute("data-state", "done", timeout=CUT_MS)
    visitor.by_id("surface").blur()
    visitor.keep_picture("task-cut")
    with hand.task("White background"):
        hand.click(visitor.by_id("look").get_by_text("Colour", exact=True))
        expect(visitor.by_id("backdrop")).to_have_css("background-color", "rgb(255, 255, 255)")
    with hand.task("Correct by one stroke"):
        hand.click(visitor.by_id("tools").get_by_text("Remove", exact=True))
        hand.paint((0.74, 0.94), (0.86, 0.97))
        visitor.wait_until_corrected()
    visitor.keep_picture("task-stroke")
    with hand.task("Undo it"):
        hand.click(visitor.by_id("undo"))
        expect(visitor.by_id("redo")).to_be_enabled()
    visitor.by_id("tools").get_by_text("Compare", exact=True).click()
    with hand.task("Shadow"):
        hand.clicks += 1
        visitor.by_id("shadow").fill("50")
        expect(visitor.by_id("result")).to_have_css("filter", re.compile("drop-shadow"))
    with hand.task("Save as JPEG"):
        hand.pick("format", "JPEG")
        saved = hand.save("save")
    with Image.open(saved) as image:
        assert image.format == "JPEG"
    with hand.task("Square, white, for a shop, and save it"):
        hand.pick("preset", "Amazon, 2000 × 2000")
        saved = hand.save("save")
    with Image.open(saved) as image:
        assert (image.format, image.size) == ("JPEG", (2000, 2000))
    visitor.keep_picture("task-shop")
    return hand.rows


def many_photos(hand: Hand, folder: Path) -> list[tuple[str, int, float]]:
    visitor = hand.visitor
    (folder / "notes.jpg").write_bytes(NOT_A_PICTURE)
    with Image.open(PHOTO) as photo:
        for number in range(9):
            photo.save(folder / f"cat-{number}.jpg")
    with hand.task("Ten photos into one ZIP"):
        hand.drop(*sorted(folder.glob("*.jpg")))
        expect(state(visitor, "done")).to_have_count(10, timeout=2 * CUT_MS)
        expect(state(visitor, "failed")).to_have_count(1, timeout=CUT_MS)
        archive = hand.save("save-all")
    assert archive.stat().st_size > 0
    with hand.task("Find what failed"):
        hand.click(visitor.by_id("filter").locator("label").filter(has_text="Failed"))
        expect(visitor.page.locator("#thumbs .show").filter(visible=True)).to_have_count(1)
    visitor.by_id("filter").locator("label").filter(has_text="All").click()
    visitor.by_id("as-grid").click()
    visitor.keep_picture("task-grid")
    return hand.rows


def on_a_phone(hand: Hand) -> list[tuple[str, int, float]]:
    visitor = hand.visitor
    with hand.task("On a phone: cut out and save"):
        with visitor.page.expect_file_chooser() as chooser:
            hand.tap(visitor.by_id("drop"))
        chooser.value.set_files(COFFEE)
        expect(visitor.by_id("stage")).to_have_attribute("data-state", "done", timeout=CUT_MS)
        with visitor.page.expect_download():
            hand.tap(visitor.by_id("save"))
    visitor.keep_picture("task-phone")
    return hand.rows

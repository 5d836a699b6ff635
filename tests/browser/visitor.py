"""A visitor of the playground: a page in a real browser, and what it must not do."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Download, Locator, Page, expect

from tests.servers.stack import ROOT, LiveStack

PICTURES = ROOT / "out" / "playground"
"""Where screenshots are kept."""
PHOTO = ROOT / "examples" / "chelsea.jpg"
ACTION_MS = 10_000
CUT_MS = 60_000
WIDE = (1280, 860)
WATCH_BODIES = """
() => {
  const [fetched, sent] = [window.fetch, XMLHttpRequest.prototype.send];
  window.sentBodies = [];
  const keep = async (body) => {
    if (body) window.sentBodies.push(body instanceof Blob ? await body.text() : body);
  };
  window.fetch = async (url, options) => {
    await keep(options?.body);
    return fetched(url, options);
  };
  XMLHttpRequest.prototype.send = async function (body) {
    await keep(body);
    sent.call(this, body);
  };
}
"""


@dataclass
class Visitor:
    """A page of one gateway, and what the browser said of it."""

    page: Page
    stack: LiveStack
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors in the page and breaches of its policy, all of which the browser writes to its console."""
    expected_complaint: str = ""
    """A pattern of what a test provokes."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(ACTION_MS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def open(self, path: str = "/playground") -> None:
        self.page.goto(self.stack.url + path)

    def by_id(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    def type_keys(self, private_key: str | None = None) -> None:
        self.by_id("keys").evaluate("keys => (keys.open = true)")  # folded once they are known to be right
        self.by_id("public-key").fill(self.stack.public_key)
        self.by_id("private-key").fill(private_key or self.stack.private_key)

    def choose(self, photo: Path) -> None:
        self.by_id("file").set_input_files(photo)
        expect(self.page.locator(f'#thumbs li[title="{photo.name}"]').last).to_be_attached()

    def cut_out(self) -> None:
        """Press the button, with keys, and wait for the result."""
        if not any(self.by_id(name).input_value() for name in ("public-key", "api-key")):
            self.type_keys()
        self.by_id("run").click()
        self.wait_until_done()

    def wait_until_done(self) -> None:
        """Photos are cut out at once where the keys are known."""
        self._wait_until_idle()
        expect(self.by_id("status")).to_contain_text("Done")

    def wait_until_corrected(self) -> None:
        self._wait_until_idle()
        expect(self.by_id("status")).to_contain_text("Corrected")

    def _wait_until_idle(self) -> None:
        states = ", ".join(f'[data-state="{state}"]' for state in ("new", "waiting", "working"))
        expect(self.page.locator(f"#thumbs li:is({states})")).to_have_count(0, timeout=CUT_MS)

    def unfold(self) -> None:
        """Show the controls that are folded until somebody asks for them."""
        self.by_id("tuning").evaluate("tuning => (tuning.open = true)")

    def slide(self, name: str, value: int) -> None:
        if not self.by_id(name).is_visible():
            self.unfold()
        self.by_id(name).fill(str(value))

    def saved(self, button: str = "save", *, as_format: str = "") -> Download:
        if as_format:
            self.by_id("format").select_option(as_format)
        with self.page.expect_download() as download:
            self.by_id(button).click()
        return download.value

    def saved_bytes(self, button: str = "save", *, as_format: str = "") -> bytes:
        return Path(self.saved(button, as_format=as_format).path()).read_bytes()

    def keep_picture(self, name: str) -> Path:
        """Keep a screenshot as the page is now."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        self.page.screenshot(path=path, animations="disabled")
        return path

    def assert_clean(self) -> None:
        """Nothing went wrong that the test did not mean to, and nobody else was asked for anything."""
        expected = self.expected_complaint
        assert [text for text in self.complaints if not (expected and re.search(expected, text))] == []
        own = urlsplit(self.stack.url).netloc
        assert {urlsplit(url).netloc for url in self.requests if not url.startswith(("blob:", "data:"))} <= {own}


def bodies_of(visitor: Visitor) -> Callable[[], list[str]]:
    """Watch what the page sends: the browser's driver does not see bodies that the page has as files."""
    visitor.page.evaluate(WATCH_BODIES)
    return lambda: list(visitor.page.evaluate("sentBodies"))


def pixel_of_page(visitor: Visitor, x: int, y: int) -> tuple[int, ...]:
    """The colour of a place of the page as it is seen."""
    found = Image.open(io.BytesIO(visitor.page.screenshot())).convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


@contextmanager
def visiting(
    browser: Browser, stack: LiveStack, *, size: tuple[int, int] = WIDE, **options: Any
) -> Iterator[Visitor]:
    """A visitor in a tab of their own."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
    try:
        visitor = Visitor(context.new_page(), stack)
        yield visitor
        visitor.assert_clean()
    finally:
        context.close()

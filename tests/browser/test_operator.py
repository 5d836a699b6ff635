"""The operator's page in a real browser: signing in, what it shows, a task's history, phones and dark mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import ACTION_MS, PICTURES, WIDE
from tests.gateway.installation import Installation
from tests.gateway.operator.page import KEY, MESSAGE, Live, live_page
from tests.jobs.build import LANE
from tests.servers.redis_server import redis_server

PHONE = (390, 844)
REFRESH_MS = 20_000


@dataclass
class Desk:
    """The page in a tab, and what the browser said of it."""

    page: Page
    live: Live
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(ACTION_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def open(self, key: str = KEY) -> None:
        self.page.goto(f"{self.live.url}/operator")
        self.page.locator("#key").fill(key)
        self.page.keyboard.press("Enter")

    def keep_picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"operator-{name}.png", full_page=True)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    blobs = tmp_path_factory.mktemp("operator") / "blobs"
    with redis_server() as redis_url, live_page(Installation(redis_url, blobs)) as live:
        yield live


@pytest.fixture(scope="module")
def failed_task(live: Live) -> str:
    return live.make_busy()


@contextmanager
def desk(browser: Browser, live: Live, size: tuple[int, int] = WIDE, **options: Any) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    try:
        yield Desk(context.new_page(), live)
    finally:
        context.close()


@pytest.mark.parametrize(
    ("name", "size", "colours"), [("desktop", WIDE, "light"), ("dark", WIDE, "dark"), ("phone", PHONE, "dark")]
)
def test_it_shows_the_service_and_a_tasks_history(
    browser: Browser, live: Live, failed_task: str, name: str, size: tuple[int, int], colours: str
) -> None:
    with desk(browser, live, size, color_scheme=colours) as at:
        at.open()
        expect(at.page.locator("#lanes")).to_contain_text(LANE)
        expect(at.page.locator("#workers")).to_contain_text("computing")
        expect(at.page.locator("#workers")).to_contain_text("worker-1 (silent)")
        expect(at.page.locator("#faults")).to_contain_text(MESSAGE)
        expect(at.page.locator("#usage tbody tr")).to_have_count(3)
        expect(at.page.locator("#alerts")).to_contain_text("Nothing needs attention")
        at.page.locator("#faults .task").first.click()
        expect(at.page.locator("#history")).to_contain_text("blob_missing")
        expect(at.page.locator("#uid")).to_have_value(failed_task)
        expect(at.page.locator("#history tbody tr")).to_have_count(1)
        at.keep_picture(name)
        wide = at.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, "only tables scroll sideways"
        assert at.complaints == []


def test_it_goes_on_by_itself_and_the_history_stays(browser: Browser, live: Live, failed_task: str) -> None:
    with desk(browser, live) as at:
        at.open()
        waiting = at.page.locator("#lanes td.number").first
        before = int(waiting.inner_text())
        at.page.locator("#uid").fill(failed_task)
        at.page.keyboard.press("Enter")
        expect(at.page.locator("#history")).to_contain_text("alice")
        live.ledger.submit(item_count=2)
        expect(waiting).to_have_text(str(before + 2), timeout=REFRESH_MS)
        expect(at.page.locator("#history")).to_contain_text("alice")
        at.page.get_by_role("button", name="Close").click()
        expect(at.page.locator("#history")).to_be_empty()
        at.page.locator("#uid").fill("nonsense")
        at.page.keyboard.press("Enter")
        expect(at.page.locator("#history")).to_contain_text("there is no such task")


def test_a_wrong_key_opens_nothing_and_a_tab_forgets_the_right_one(browser: Browser, live: Live) -> None:
    with desk(browser, live) as at:
        at.open("wrong")
        expect(at.page.locator("#refusal")).to_contain_text("not the key")
        expect(at.page.locator("#page")).to_be_hidden()
        at.keep_picture("refused")
        at.page.locator("#key").fill(KEY)
        at.page.get_by_role("button", name="Open").click()
        expect(at.page.locator("#page")).to_be_visible()
        at.page.reload()
        expect(at.page.locator("#page")).to_be_visible()
        at.page.get_by_role("button", name="Sign out").click()
        expect(at.page.locator("#sign-in")).to_be_visible()
        assert KEY not in at.page.content()
        assert at.page.evaluate("sessionStorage.length") == 0


def test_where_nobody_answers_it_says_so_and_goes_on(browser: Browser, live: Live) -> None:
    with desk(browser, live) as at:
        at.open()
        expect(at.page.locator("#page")).to_be_visible()
        at.page.route("**/operator/data", lambda route: route.abort())
        expect(at.page.locator("#problem")).to_contain_text("does not answer", timeout=REFRESH_MS)
        at.keep_picture("away")
        at.page.unroute("**/operator/data")
        expect(at.page.locator("#problem")).to_be_hidden(timeout=REFRESH_MS)

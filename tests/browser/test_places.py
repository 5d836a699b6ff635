"""Tests of the pages behind a proxy: under a prefix, at a gateway with another host's name."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, Route, expect

from tests.browser.visitor import CUT_MS, PHOTO, Visitor, visiting
from tests.servers.stack import LiveStack, tiny_stack

PREFIX = "/tools/cutgate"
TAIL = "/r/mac-_/1700000000/d5ari00q5cu0v880200g/0/token.png"
RESULT_URL = """
async (address) => {
  const { resultUrl } = await import(new URL("playground/service/http.js", document.baseURI));
  try {
    return resultUrl(address).href;
  } catch (error) {
    throw new Error(error.technical);
  }
}
"""


@pytest.fixture(scope="module")
def renamed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    public_url = f"https://cutouts.example.com{PREFIX}"
    with tiny_stack(tmp_path_factory.mktemp("stack"), CUTGATE_PUBLIC_URL=public_url) as live:
        yield live


@contextmanager
def behind_a_proxy(browser: Browser, stack: LiveStack, path: str) -> Iterator[Visitor]:
    """A visitor of a page behind a proxy that takes the prefix away."""
    with visiting(browser, stack) as visitor:

        def pass_on(route: Route) -> None:
            route.fulfill(response=route.fetch(url=route.request.url.replace(PREFIX, "", 1)))

        visitor.page.route(f"**{PREFIX}/**", pass_on)
        visitor.open(f"{PREFIX}{path}")
        yield visitor
        visitor.page.unroute_all(behavior="wait")


@pytest.fixture(scope="module")
def guest(browser: Browser, renamed_stack: LiveStack) -> Iterator[Visitor]:
    with behind_a_proxy(browser, renamed_stack, "/playground") as visitor:
        yield visitor


def test_the_way_of_a_photo_stays_on_the_page_s_own_host_and_prefix(guest: Visitor) -> None:
    guest.type_keys()
    guest.choose(PHOTO)
    guest.wait_until_done()
    expect(guest.by_id("result")).to_be_visible()
    paths = [url.removeprefix(guest.stack.url) for url in guest.requests if url.startswith("http")]
    assert all(path.startswith(f"{PREFIX}/") for path in paths)
    assert any(path.startswith(f"{PREFIX}/r/") for path in paths)
    assert f"{guest.stack.url}{PREFIX}/" in (guest.by_id("curl").text_content() or "")
    assert guest.saved_bytes().startswith(b"\x89PNG")


def test_the_page_of_the_api_calls_under_the_prefix(browser: Browser, renamed_stack: LiveStack) -> None:
    with behind_a_proxy(browser, renamed_stack, "/docs") as visitor:
        visitor.type_keys()
        for name in ("RemoveBackground", "ListTasksDetails"):
            block = visitor.page.locator(f"#operations-PICPIK-{name}")
            block.locator(".opblock-summary-control").click()
            block.locator("button.execute").click()
            expect(block.locator(".live-responses-table")).to_contain_text('"RetCode": 0', timeout=CUT_MS)
        result = visitor.by_id("result").get_attribute("href") or ""
        assert result.startswith(f"{visitor.stack.url}{PREFIX}/r/")
        paths = [url.removeprefix(visitor.stack.url) for url in visitor.requests if url.startswith("http")]
        assert all(path.startswith(f"{PREFIX}/") for path in paths)


@pytest.mark.parametrize("base", ["https://cutouts.example.com", "http://10.0.0.7:8080/other/prefix", ""])
def test_a_result_is_fetched_from_where_the_page_came(guest: Visitor, base: str) -> None:
    assert guest.page.evaluate(RESULT_URL, base + TAIL) == f"{guest.stack.url}{PREFIX}{TAIL}"


@pytest.mark.parametrize("address", ["https://elsewhere.example.com/cat.png", "/r/short.png", "https://x/r/"])
def test_an_address_of_another_form_is_refused(guest: Visitor, address: str) -> None:
    with pytest.raises(Error, match="not of this gateway's form"):
        guest.page.evaluate(RESULT_URL, address)

"""Tests of how fast the playground opens over a slow network: few requests, and none for what has not changed."""

import time

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor, visiting
from tests.servers.stack import LiveStack

KIB = 1024


def slow_down(visitor: Visitor, kib_per_second: int, latency_ms: int) -> None:
    driver = visitor.page.context.new_cdp_session(visitor.page)
    driver.send("Network.enable")
    rate = {"downloadThroughput": kib_per_second * KIB, "uploadThroughput": kib_per_second * KIB}
    driver.send("Network.emulateNetworkConditions", {"offline": False, "latency": latency_ms, **rate})


def opened_seconds(visitor: Visitor) -> float:
    """Until the page has run its script and shown its pictures."""
    began = time.perf_counter()
    visitor.open()
    return time.perf_counter() - began


@pytest.mark.parametrize(("kib_per_second", "latency_ms", "limit_seconds"), [(400, 40, 3.0), (50, 400, 6.0)])
def test_the_first_visit(
    browser: Browser, quick_stack: LiveStack, kib_per_second: int, latency_ms: int, limit_seconds: float
) -> None:
    with visiting(browser, quick_stack) as visitor:
        slow_down(visitor, kib_per_second, latency_ms)
        first = opened_seconds(visitor)
        names = [url.removeprefix(f"{quick_stack.url}/").partition("?")[0] for url in visitor.requests]
        assert sorted(names) == [
            *("playground", "playground/app.bundle.js", "playground/icon.svg", "playground/look/bundle.css"),
            *("playground/samples/cup.jpg", "playground/samples/portrait.jpg"),
        ]
        again = opened_seconds(visitor)
        assert first < limit_seconds
        assert again < first / 2
        kept = "performance.getEntriesByType('resource').filter(one => one.transferSize > 0).length"
        assert visitor.page.evaluate(kept) == 0

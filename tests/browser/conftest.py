"""Fixtures: one browser for these tests, and a visitor in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browser import chromium, running
from tests.browser.visitor import ACTION_MS, Visitor, visiting
from tests.servers.stack import LiveStack

expect.set_options(timeout=ACTION_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with these tests: while its driver runs, no other test of this process could have an event loop."""
    with running(chromium()) as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, stack: LiveStack) -> Iterator[Visitor]:
    with visiting(browser, stack) as visitor:
        visitor.open()
        yield visitor

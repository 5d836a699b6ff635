"""Fixtures: a service on the tiny network, which takes what is dark for the subject, and a visitor of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor, visiting
from tests.servers.stack import LiveStack, tiny_stack

SIZE = (240, 160)
GROUND = (250, 240, 230)
DISC = (100, 40, 160, 100)


def picture(path: Path, disc: tuple[int, int, int, int] | None = DISC, size: tuple[int, int] = SIZE) -> Path:
    """A dark disc on a bright ground; without the disc there is no subject."""
    image = Image.new("RGB", size, GROUND)
    if disc:
        ImageDraw.Draw(image).ellipse(disc, fill=(20, 30, 40))
    image.save(path, quality=95)
    return path


@pytest.fixture(scope="package")
def quick_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    settings = {"CUTGATE_SUBMITS_PER_SECOND": "1000", "CUTGATE_FAILED_SIGNATURES_PER_MINUTE": "1000"}
    with tiny_stack(tmp_path_factory.mktemp("stack"), **settings) as live:
        yield live


@pytest.fixture(scope="package")
def metered_stack(quick_stack: LiveStack) -> LiveStack:
    """The same service with the keys of an account that pays for each picture, and has enough for all tests."""
    return with_credits(quick_stack, 10_000)


@pytest.fixture
def visitor(browser: Browser, metered_stack: LiveStack) -> Iterator[Visitor]:
    """Somebody whose keys nobody knows yet, so that photos wait for the button."""
    with visiting(browser, metered_stack) as visitor:
        visitor.open()
        yield visitor


@pytest.fixture
def guest(browser: Browser, quick_stack: LiveStack) -> Iterator[Visitor]:
    """Somebody who came by a link that signs in, and whose photos are cut out at once."""
    with signed_in(browser, quick_stack) as visitor:
        yield visitor


@contextmanager
def signed_in(browser: Browser, stack: LiveStack) -> Iterator[Visitor]:
    with visiting(browser, stack) as visitor:
        visitor.open(link(stack))
        expect(visitor.by_id("balance")).to_be_visible()
        yield visitor


def with_credits(stack: LiveStack, number: int) -> LiveStack:
    """A service with the keys of a new account."""
    made = stack.keys("add", "--name", f"credits-{number}", "--credits", str(number))
    return replace(stack, public_key=made["public_key"], private_key=made["private_key"])


def link(stack: LiveStack) -> str:
    return f"/playground#public_key={stack.public_key}&private_key={stack.private_key}"

"""Fixtures: a service on the tiny network, which takes what is dark for the subject, and a visitor of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor, visiting
from tests.clients.conftest import RunwareStack, add_api_key, tiny_stack
from tests.servers.stack import LiveStack

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
def quick_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunwareStack]:
    settings = {"CUTGATE_SUBMITS_PER_SECOND": "1000", "CUTGATE_FAILED_SIGNATURES_PER_MINUTE": "1000"}
    with tiny_stack(tmp_path_factory.mktemp("stack"), **settings) as live:
        yield RunwareStack(live, add_api_key(live))


@pytest.fixture
def visitor(browser: Browser, quick_stack: RunwareStack) -> Iterator[Visitor]:
    """Somebody who came by a link that signs in."""
    with visiting(browser, quick_stack.live) as visitor:
        visitor.open(link(quick_stack.live))
        expect(visitor.by_id("balance")).to_be_visible()
        yield visitor


@pytest.fixture
def metered(quick_stack: RunwareStack) -> LiveStack:
    """The same service with the keys of an account that has five credits."""
    made = quick_stack.live.keys("add", "--name", "metered", "--credits", "5")
    return replace(quick_stack.live, public_key=made["public_key"], private_key=made["private_key"])


def link(stack: LiveStack) -> str:
    return f"/playground#public_key={stack.public_key}&private_key={stack.private_key}"

"""The playground's colours follow the system and its switch."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import pixel_of_page, visiting
from tests.servers.stack import LiveStack

SCHEMES = {"light": (243, 245, 244), "dark": (16, 20, 19)}
GROUND = (4, 200)
"""A place of the page beside the picture."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_system_and_the_switch(browser: Browser, stack: LiveStack, scheme: str) -> None:
    with visiting(browser, stack, color_scheme=scheme) as visitor:
        visitor.open()
        assert pixel_of_page(visitor, *GROUND) == SCHEMES[scheme]
        switch = visitor.by_id("theme")
        for expected in ("light", "dark"):
            switch.click()
            expect(switch).to_have_attribute("aria-label", f"Colours: {expected}")
            assert pixel_of_page(visitor, *GROUND) == SCHEMES[expected]
        visitor.page.reload()
        assert pixel_of_page(visitor, *GROUND) == SCHEMES["dark"]
        switch.click()
        assert pixel_of_page(visitor, *GROUND) == SCHEMES[scheme]

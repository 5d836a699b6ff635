"""Tests of the playground's colours, contrast and width in dark mode and narrow windows."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import PHOTO, WIDE, pixel_of_page, visiting
from tests.servers.stack import LiveStack

OVERFLOW_PX = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
SCHEMES = {"light": (243, 245, 244), "dark": (16, 20, 19)}
CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (front, back) => {
    const [dark, bright] = [luminance(front), luminance(back)].sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05);
  };
  const groundOf = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" && element.parentElement ? groundOf(element.parentElement) : colour;
  };
  const texts = "h1, label, legend, .hint, .status, .chip, .problem *, summary, button, a, .show *, .unapplied";
  return [...document.querySelectorAll(texts)]
    .filter((found) => found.checkVisibility() && !found.disabled && found.innerText.trim())
    .map((found) => [found.innerText.slice(0, 30), ratio(getComputedStyle(found).color, groundOf(found))])
    .filter(([, found]) => found < 4.5);
}
"""


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


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("dark", WIDE, "dark"), ("narrow", (320, 720), "light"), ("telephone", (390, 844), "dark")],
)
def test_it_fits(browser: Browser, stack: LiveStack, name: str, size: tuple[int, int], scheme: str) -> None:
    with visiting(browser, stack, size=size, color_scheme=scheme) as visitor:
        visitor.open()
        assert visitor.page.evaluate(OVERFLOW_PX) <= 0
        visitor.type_keys()
        visitor.choose(PHOTO)
        visitor.by_id("box-toggle").click()
        visitor.cut_out()
        visitor.by_id("request").locator("summary").click()
        assert visitor.page.evaluate(OVERFLOW_PX) <= 0
        assert visitor.page.evaluate(CONTRAST) == []
        visitor.page.evaluate("scrollTo(0, 0)")
        visitor.keep_picture(name)

"""Tests of how the playground looks: colours of the system, contrast, narrow windows, telephones."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.page.conftest import link, picture
from tests.browser.page.test_album import put_in
from tests.browser.test_keyboard import NAMELESS
from tests.browser.visitor import CUT_MS, WIDE, pixel_of_page, visiting
from tests.servers.stack import LiveStack

SCHEMES = {"light": (243, 245, 244), "dark": (16, 20, 19)}
GROUND = (4, 200)
"""A place of the page beside the picture."""

OVERFLOW_PX = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_system_and_the_switch(browser: Browser, quick_stack: LiveStack, scheme: str) -> None:
    with visiting(browser, quick_stack, color_scheme=scheme) as visitor:
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


@pytest.mark.parametrize(("size", "scheme"), [((390, 844), "dark"), ((320, 720), "light"), (WIDE, "dark")])
def test_many_photos_fit_and_can_be_read(
    browser: Browser, metered_stack: LiveStack, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    with visiting(browser, metered_stack, size=size, color_scheme=scheme) as visitor:
        visitor.open(link(metered_stack))
        assert visitor.page.evaluate(OVERFLOW_PX) <= 0
        visitor.type_keys()
        discs = [picture(tmp_path / f"{number}.png") for number in range(12)]
        put_in(visitor, picture(tmp_path / "wall.png", disc=None), *discs)
        visitor.by_id("box-toggle").click()
        visitor.by_id("run").click()
        expect(visitor.by_id("status")).to_contain_text("Done", timeout=CUT_MS)
        expect(visitor.by_id("problem-title")).to_have_text("No subject was found")
        visitor.slide("erode", 3)
        visitor.by_id("request").locator("summary").click()
        assert visitor.page.evaluate(OVERFLOW_PX) <= 0
        assert visitor.page.evaluate(CONTRAST) == []
        assert visitor.page.evaluate(NAMELESS) == []
        visitor.keep_picture(f"many-{size[0]}-{scheme}")


@pytest.mark.parametrize(("size", "count"), [((390, 664), 1), ((360, 640), 1), ((320, 640), 1), ((390, 844), 3)])
def test_a_telephone_shows_the_button_wherever_one_has_scrolled(
    browser: Browser, metered_stack: LiveStack, tmp_path: Path, size: tuple[int, int], count: int
) -> None:
    with visiting(browser, metered_stack, size=size, is_mobile=True, has_touch=True) as visitor:
        visitor.open()
        visitor.unfold()
        visitor.by_id("file").set_input_files([picture(tmp_path / f"{number}.png") for number in range(count)])
        run, status = visitor.by_id("run"), visitor.by_id("status")
        expect(visitor.by_id("box-keys")).to_have_text(re.compile("^Drag a box"), use_inner_text=True)
        for place in ("0", "document.body.scrollHeight"):
            visitor.page.evaluate(f"scrollTo(0, {place})")
            for shown in (run, status):
                expect(shown).to_be_in_viewport(ratio=1)
        boxes = [found.bounding_box() for found in (visitor.by_id("box-left"), visitor.page.locator(".action"))]
        assert boxes[0]
        assert boxes[1]
        assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]  # nothing lies under it at the end
        expect(visitor.by_id("box-keys")).not_to_contain_text("Shift", use_inner_text=True)
        visitor.cut_out()
        expect(run).to_be_hidden()  # with nothing to press it need not lie over the settings
        visitor.keep_picture(f"telephone-{size[0]}x{size[1]}")

"""Tests of the playground without a pointer, and with a screen reader."""

from playwright.sync_api import Locator, expect

from tests.browser.visitor import CUT_MS, PHOTO, Visitor

MOST_TABS = 60
NAMELESS = """
() => [...document.querySelectorAll("button, a, input, select, [tabindex='0']")]
  .filter((found) => found.checkVisibility())
  .filter((found) => !(found.ariaLabel || found.labels?.length || found.innerText.trim()))
  .map((found) => found.outerHTML)
"""


def tab_to(visitor: Visitor, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus, as one would."""
    for _ in range(MOST_TABS):
        if target.evaluate("found => found === document.activeElement"):
            return
        visitor.page.keyboard.press(key)
    raise AssertionError(f"{target} cannot be reached with Tab")


def press(visitor: Visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)


def box_of(visitor: Visitor) -> str:
    return visitor.by_id("box").get_attribute("aria-label") or ""


def test_the_whole_way_with_keys(visitor: Visitor) -> None:
    keyboard = visitor.page.keyboard
    # The driver catches the browser's dialog from shortly after it is asked to, so it is asked before the Tabs.
    with visitor.page.expect_file_chooser() as chooser:
        tab_to(visitor, visitor.by_id("choose"))
        press(visitor, "Enter")
    chooser.value.set_files(PHOTO)

    # The photo waits for the keys.
    expect(visitor.by_id("public-key")).to_be_focused()
    keyboard.insert_text(visitor.stack.public_key)
    tab_to(visitor, visitor.by_id("private-key"))
    keyboard.insert_text(visitor.stack.private_key)
    tab_to(visitor, visitor.by_id("surface"), "Shift+Tab")

    # On the picture: zoom and pan.
    fitted = visitor.by_id("zoom-level").inner_text()
    press(visitor, "1")
    expect(visitor.by_id("zoom-level")).to_have_text("100 %")
    press(visitor, "+", "ArrowLeft", "0")
    expect(visitor.by_id("zoom-level")).to_have_text(fitted)

    # On the Box: add, move, stretch, remove, add again.
    press(visitor, "Shift+Tab")
    tab_to(visitor, visitor.by_id("box-toggle"))
    press(visitor, "Enter")
    expect(visitor.by_id("box")).to_be_focused()
    assert box_of(visitor) == "Box: left 45, top 30, right 406, bottom 270"
    press(visitor, "ArrowRight", "Control+ArrowDown", "Shift+ArrowRight", "Control+Shift+ArrowUp")
    assert box_of(visitor) == "Box: left 55, top 31, right 426, bottom 270"
    press(visitor, *["ArrowRight"] * 9)
    assert box_of(visitor) == "Box: left 80, top 31, right 451, bottom 270"
    press(visitor, "Delete")
    expect(visitor.by_id("box")).to_be_hidden()

    tab_to(visitor, visitor.page.locator('input[name="hair"]').first)
    press(visitor, "ArrowRight", "ArrowRight")
    assert visitor.page.locator('input[name="hair"]:checked').input_value() == "off"
    tab_to(visitor, visitor.by_id("tuning").locator("summary"))
    press(visitor, "Enter")
    tab_to(visitor, visitor.by_id("erode"))
    press(visitor, "ArrowRight", "ArrowRight")
    assert visitor.by_id("erode-number").input_value() == "17"
    tab_to(visitor, visitor.by_id("run"))
    press(visitor, "Enter")
    expect(visitor.by_id("status")).to_contain_text("Done", timeout=CUT_MS)

    tab_to(visitor, visitor.by_id("split"))
    press(visitor, "Home")
    assert visitor.by_id("split").input_value() == "0"
    assert visitor.by_id("split").get_attribute("aria-valuetext") == "0 percent photo"
    tab_to(visitor, visitor.by_id("save"))
    with visitor.page.expect_download():
        press(visitor, "Enter")
    assert visitor.page.evaluate(NAMELESS) == []


def test_the_focus_is_seen(visitor: Visitor) -> None:
    press(visitor, "Tab", "Tab")
    width = visitor.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert int(width.removesuffix("px")) >= 2


def test_progress_and_problems_are_spoken(visitor: Visitor) -> None:
    assert visitor.by_id("status").get_attribute("role") == "status"
    assert visitor.by_id("problem").get_attribute("role") == "alert"
    assert visitor.page.evaluate(NAMELESS) == []

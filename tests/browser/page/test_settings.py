"""Tests of settings in the playground: changes to apply, undo, reset, and one set for each photo."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.page.conftest import picture
from tests.browser.visitor import Visitor, bodies_of
from tests.servers.stack import LiveStack
from tests.waiting import eventually

Requests = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def sent(visitor: Visitor) -> Requests:
    """What was asked for so far, in order."""
    bodies = bodies_of(visitor)
    return lambda: [json.loads(body) for body in bodies() if '"RemoveBackground"' in body]


def unapplied(visitor: Visitor) -> Locator:
    return visitor.page.locator("[data-unapplied]").filter(visible=True)


def erode(visitor: Visitor) -> str:
    return visitor.by_id("erode-number").input_value()


def test_a_change_waits_to_be_applied_where_nothing_can_be_corrected(
    visitor: Visitor, quick_stack: LiveStack, tmp_path: Path
) -> None:
    """With an API key: Runware's protocol has no corrections."""
    run, bodies = visitor.by_id("run"), bodies_of(visitor)
    visitor.choose(picture(tmp_path / "disc.png"))
    expect(visitor.by_id("erode")).to_be_hidden()  # until somebody asks for it
    visitor.slide("erode", 8)
    expect(unapplied(visitor)).to_have_count(0)
    visitor.page.get_by_text("API key", exact=True).first.click()
    visitor.by_id("api-key").fill(quick_stack.api_key)
    visitor.cut_out()
    expect(run).to_be_disabled()
    expect(visitor.by_id("tools")).to_be_hidden()
    visitor.slide("erode", 9)
    visitor.by_id("only-mask").check()
    visitor.by_id("fill-holes").check()
    expect(unapplied(visitor)).to_have_count(3)
    expect(run).to_have_text("Apply")
    run.click()
    expect(unapplied(visitor)).to_have_count(0)
    applied = [task["settings"] for body in bodies() if '"removeBackground"' in body for task in json.loads(body)]
    names = ("alphaMattingErodeSize", "returnOnlyMask", "holes")
    assert [tuple(settings[name] for name in names) for settings in applied] == [
        *((8, False, "keep"), (9, True, "fill"))
    ]


@pytest.mark.parametrize(("typed", "taken"), [("99", "40"), ("-3", "0"), ("", "15")])
def test_a_number_out_of_range_becomes_the_nearest(visitor: Visitor, typed: str, taken: str) -> None:
    visitor.unfold()
    visitor.by_id("erode-number").fill(typed)
    visitor.by_id("erode-number").press("Tab")
    assert (erode(visitor), visitor.by_id("erode").input_value()) == (taken, taken)
    if typed:
        visitor.by_id("undo").click()
    assert erode(visitor) == "15"
    expect(visitor.by_id("undo")).to_be_disabled()


def test_changes_are_undone_one_by_one_and_reset_at_once(visitor: Visitor, tmp_path: Path) -> None:
    undo, reset = visitor.by_id("undo"), visitor.by_id("reset")
    visitor.choose(picture(tmp_path / "disc.png"))
    for button in (undo, reset):
        expect(button).to_be_disabled()
    visitor.unfold()
    visitor.by_id("erode").focus()
    for _ in range(3):
        visitor.page.keyboard.press("ArrowRight")
    visitor.by_id("foreground-number").fill("200")
    visitor.by_id("foreground-number").press("Tab")
    assert (erode(visitor), visitor.by_id("foreground").input_value()) == ("18", "200")
    undo.click()
    assert (erode(visitor), visitor.by_id("foreground-number").input_value()) == ("18", "240")
    undo.click()
    assert erode(visitor) == "17"
    reset.click()
    assert erode(visitor) == "15"
    expect(reset).to_be_disabled()
    undo.click()
    assert erode(visitor) == "17"


def test_each_photo_keeps_its_settings(visitor: Visitor, tmp_path: Path) -> None:
    bodies = bodies_of(visitor)
    visitor.choose(picture(tmp_path / "one.png"))
    visitor.slide("erode", 4)
    visitor.cut_out()
    visitor.choose(picture(tmp_path / "two.png"))
    visitor.wait_until_done()
    assert erode(visitor) == "4"
    visitor.slide("erode", 30)
    visitor.wait_until_corrected()
    visitor.page.locator('#thumbs .show[aria-label^="one.png"]').click()
    assert erode(visitor) == "4"
    visitor.slide("erode", 6)
    visitor.wait_until_corrected()
    visitor.by_id("spread").click()
    visitor.wait_until_corrected()
    visitor.page.locator('#thumbs .show[aria-label^="two.png"]').click()
    assert erode(visitor) == "6"
    for action, expected in (("RemoveBackground", [4, 4]), ("RefineTask", [30, 6, 6])):
        assert [json.loads(body)["ErodeSize"] for body in bodies() if f'"{action}"' in body] == expected


def test_photos_that_are_not_cut_out_yet_share_theirs(visitor: Visitor, tmp_path: Path, sent: Requests) -> None:
    visitor.by_id("file").set_input_files([picture(tmp_path / name) for name in ("one.png", "two.png")])
    expect(visitor.by_id("thumbs").locator("li")).to_have_count(2)
    visitor.slide("erode", 7)
    visitor.cut_out()
    expect(visitor.by_id("status")).to_contain_text("Done: 2 of 2")
    assert [body["ErodeSize"] for body in sent()] == [7, 7]


def test_a_box_is_in_pixels_of_the_photo_whatever_part_of_it_is_shown(visitor: Visitor, tmp_path: Path) -> None:
    right = visitor.by_id("box-right")
    visitor.choose(picture(tmp_path / "disc.png"))
    visitor.by_id("box-toggle").click()
    visitor.cut_out()
    visitor.unfold()
    visitor.by_id("crop").check()
    # Not by Playwright's `wait_for_function`: the page's policy forbids the script by which that looks again.
    width = "surface.style.getPropertyValue('--picture-width')"
    eventually(lambda: visitor.page.evaluate(width) != "100%")
    right.fill("230")
    right.press("Tab")
    expect(visitor.by_id("run")).to_have_text("Apply")
    expect(right).to_have_value("230")


def test_the_box_is_undone_in_its_turn(visitor: Visitor, tmp_path: Path) -> None:
    left, undo = visitor.by_id("box-left"), visitor.by_id("undo")
    visitor.choose(picture(tmp_path / "disc.png"))
    place = visitor.by_id("before").bounding_box()
    assert place is not None
    mouse = visitor.page.mouse

    def drag(start: float, *ends: float) -> None:
        mouse.move(place["x"] + start, place["y"] + 40)
        mouse.down()
        for end in ends:
            mouse.move(place["x"] + end, place["y"] + 120)
        mouse.up()

    drag(60, 100, 150, 200)
    drawn = left.input_value()
    visitor.slide("erode", 9)
    visitor.by_id("box").focus()
    visitor.page.keyboard.press("ArrowRight")
    visitor.by_id("box-toggle").click()
    expect(visitor.by_id("box")).to_be_hidden()
    undo.click()
    expect(left).to_have_value(str(int(drawn) + 10))
    undo.click()
    assert (left.input_value(), erode(visitor)) == (drawn, "9")
    undo.click()
    assert (left.input_value(), erode(visitor)) == (drawn, "15")
    undo.click()
    expect(visitor.by_id("box")).to_be_hidden()
    assert left.input_value() == ""
    expect(undo).to_be_disabled()

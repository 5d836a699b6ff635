"""Tests of corrections in the playground: brush and eraser, undo and redo, settings without another cut."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, expect

from cutgate.jobs.blobs.file import INSTALLATION_NAME
from tests.browser.page.conftest import GROUND, link
from tests.browser.test_flow import Point, point_in
from tests.browser.visitor import CUT_MS, Visitor, bodies_of, visiting
from tests.servers.stack import LiveStack

SIZE = (240, 160)
LEFT, RIGHT = (50, 80), (190, 80)
"""The middles of two discs, both of which are cut out."""

Sent = Callable[[str], list[dict[str, Any]]]


def two_discs(path: Path) -> Path:
    image = Image.new("RGB", SIZE, GROUND)
    for x, y in (LEFT, RIGHT):
        ImageDraw.Draw(image).ellipse((x - 30, y - 30, x + 30, y + 30), fill=(20, 30, 40))
    image.save(path)
    return path


def sent_by(visitor: Visitor) -> Sent:
    bodies = bodies_of(visitor)
    return lambda action: [json.loads(body) for body in bodies() if f'"Action":"{action}"' in body]


@pytest.fixture
def done(guest: Visitor, tmp_path: Path) -> Visitor:
    guest.choose(two_discs(tmp_path / "discs.png"))
    guest.wait_until_done()
    return guest


def take(visitor: Visitor, tool: str) -> None:
    visitor.by_id("tools").get_by_text(tool, exact=True).click()


def at(visitor: Visitor, x: int, y: int) -> Point:
    """A point of the page, over a pixel of the photo."""
    return point_in(visitor, "result", x / SIZE[0], y / SIZE[1])


def paint(visitor: Visitor, *points: tuple[int, int]) -> None:
    mouse = visitor.page.mouse
    mouse.move(*at(visitor, *points[0]))
    mouse.down()
    for point in points[1:]:
        mouse.move(*at(visitor, *point), steps=5)
    mouse.up()


def alpha_at(visitor: Visitor, *points: tuple[int, int]) -> list[int]:
    """Of the result as it would be saved."""
    with Image.open(io.BytesIO(visitor.saved_bytes(as_format="png"))) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    return [int(alpha[y, x]) for x, y in points]


def test_a_stroke_takes_away_and_another_brings_back(done: Visitor) -> None:
    sent = sent_by(done)
    assert alpha_at(done, LEFT, RIGHT) == [255, 255]
    take(done, "Remove")
    done.keep_picture("brush-remove")
    paint(done, (35, 80), (65, 80))
    done.wait_until_corrected()
    used = done.by_id("balance").inner_text()  # only now: the page may still have been asking for it before
    assert alpha_at(done, LEFT, RIGHT) == [0, 255]
    take(done, "Keep")
    paint(done, LEFT)
    done.wait_until_corrected()
    assert alpha_at(done, LEFT, RIGHT) == [255, 255]
    first, second = sent("RefineTask")
    assert second["TaskUID"] != first["TaskUID"]  # goes on from the first correction
    [line] = first["Remove"]
    assert [line[0], line[-1]] == [pytest.approx([35, 80], abs=1), pytest.approx([65, 80], abs=1)]
    assert [len(point) for [point] in second["Keep"]] == [2]
    assert "Keep" not in first
    assert first["RadiusPx"] == second["RadiusPx"] >= 1
    assert sent("RemoveBackground") == []
    expect(done.by_id("balance")).to_have_text(used)
    expect(done.by_id("confidence")).to_contain_text("corrected")


def test_undo_and_redo_are_instant(done: Visitor) -> None:
    sent = sent_by(done)
    take(done, "Remove")
    for point in (LEFT, RIGHT):
        paint(done, point)
        done.wait_until_corrected()
    assert alpha_at(done, LEFT, RIGHT) == [0, 0]
    asked = len(done.requests)
    undo, redo = done.by_id("undo"), done.by_id("redo")
    undo.click()
    assert alpha_at(done, LEFT, RIGHT) == [0, 255]
    done.page.keyboard.press("Control+z")
    expect(undo).to_be_disabled()
    assert alpha_at(done, LEFT, RIGHT) == [255, 255]
    redo.click()
    assert alpha_at(done, LEFT, RIGHT) == [0, 255]
    done.page.keyboard.press("Control+Shift+Z")
    assert alpha_at(done, LEFT, RIGHT) == [0, 0]
    expect(redo).to_be_disabled()
    assert len([url for url in done.requests[asked:] if not url.startswith("blob:")]) == 0
    # A new stroke goes on from what is shown.
    undo.click()
    paint(done, LEFT)
    done.wait_until_corrected()
    assert sent("RefineTask")[2]["TaskUID"] == sent("RefineTask")[1]["TaskUID"]
    expect(redo).to_be_disabled()


def test_strokes_that_come_fast_all_count_in_their_order(done: Visitor) -> None:
    sent = sent_by(done)
    take(done, "Remove")
    paint(done, LEFT)
    paint(done, RIGHT)
    take(done, "Keep")
    paint(done, RIGHT)
    done.wait_until_corrected()
    assert alpha_at(done, LEFT, RIGHT) == [0, 255]
    kinds = [[kind for kind in ("Keep", "Remove") if kind in body] for body in sent("RefineTask")]
    assert all(len(kind) == 1 for kind in kinds)  # the later one wins, whatever else is sent
    assert kinds[-1] == ["Keep"]


def test_settings_are_applied_by_themselves_and_for_nothing(done: Visitor) -> None:
    sent = sent_by(done)
    done.slide("erode", 3)
    done.by_id("only-mask").check()
    done.wait_until_corrected()
    expect(done.by_id("run")).to_be_disabled()
    *_, last = sent("RefineTask")
    assert (last["ErodeSize"], last["OnlyMask"]) == (3, True)
    assert sent("RemoveBackground") == []
    with Image.open(io.BytesIO(done.saved_bytes(as_format="png"))) as image:
        assert image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    for _ in range(2):
        done.by_id("undo").click()
    assert alpha_at(done, LEFT, (120, 80)) == [255, 0]


def test_the_brush_is_worked_by_keys(done: Visitor) -> None:
    press = done.page.keyboard.press
    done.by_id("tools").locator("input").first.focus()
    press("ArrowRight")
    press("ArrowRight")
    assert done.page.locator('input[name="tool"]:checked').input_value() == "remove"
    surface = done.by_id("surface")
    expect(surface).to_have_attribute(
        "aria-label",
        "Picture with a brush. Arrow keys move it, with Shift they draw; "
        "Space marks the place, Escape puts it away.",
    )
    surface.focus()
    before = done.by_id("brush-size").input_value()
    press("[")
    assert int(done.by_id("brush-size").input_value()) < int(before)
    # From the middle to the right disc.
    for _ in range(24):
        press("ArrowRight")
    press("Space")
    done.wait_until_corrected()
    assert alpha_at(done, LEFT, RIGHT) == [255, 0]
    surface.focus()
    done.page.keyboard.down("Shift")
    for _ in range(48):
        press("ArrowLeft")
    done.page.keyboard.up("Shift")
    done.wait_until_corrected()
    assert alpha_at(done, LEFT) == [0]
    surface.focus()
    press("Escape")
    expect(done.by_id("brush")).to_be_hidden()
    expect(done.by_id("split")).to_be_visible()


def test_a_finger_paints_and_two_fingers_zoom(browser: Browser, quick_stack: LiveStack, tmp_path: Path) -> None:
    with visiting(browser, quick_stack, size=(390, 780), has_touch=True, is_mobile=True) as visitor:
        visitor.open(link(quick_stack))
        expect(visitor.by_id("balance")).to_be_visible()
        visitor.choose(two_discs(tmp_path / "discs.png"))
        visitor.wait_until_done()
        take(visitor, "Remove")
        x, y = at(visitor, *LEFT)
        touch = visitor.page.context.new_cdp_session(visitor.page)

        def fingers(kind: str, *places: Point) -> None:
            points = [{"x": left, "y": top, "id": number} for number, (left, top) in enumerate(places)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        level = visitor.by_id("zoom-level").inner_text()
        fingers("touchStart", (x, y))
        fingers("touchStart", (x, y), (x + 60, y))
        fingers("touchMove", (x - 20, y), (x + 90, y))
        fingers("touchEnd")
        assert visitor.by_id("zoom-level").inner_text() != level
        expect(visitor.by_id("undo")).to_be_disabled()  # the first finger's dot does not count
        visitor.by_id("zoom-fit").click()
        x, y = at(visitor, *LEFT)
        fingers("touchStart", (x, y))
        fingers("touchMove", (x + 8, y))
        fingers("touchEnd")
        visitor.wait_until_corrected()
        visitor.keep_picture("brush-telephone")
        take(visitor, "Compare")
        assert alpha_at(visitor, LEFT, RIGHT) == [0, 255]


def test_a_result_that_the_service_forgot_is_cut_again_and_keeps_the_strokes(
    done: Visitor, quick_stack: LiveStack
) -> None:
    sent = sent_by(done)
    take(done, "Remove")
    paint(done, LEFT)
    done.wait_until_corrected()
    for path in (quick_stack.data / "blobs").rglob("*"):  # as when the time is up for which results are kept
        if path.is_file() and path.name != INSTALLATION_NAME:
            path.unlink()
    paint(done, RIGHT)
    expect(done.by_id("problem-title")).to_have_text("The result is gone", timeout=CUT_MS)
    expect(done.by_id("problem-advice")).to_contain_text("Cut out again")
    expect(done.by_id("run")).to_have_text("Cut out again")
    done.by_id("run").click()
    done.wait_until_done()
    assert alpha_at(done, LEFT, RIGHT) == [0, 0]
    assert len(sent("RemoveBackground")) == 1


def test_a_line_is_sent_with_the_points_that_it_needs(guest: Visitor) -> None:
    simplified = """
    async ([points, tolerance]) => {
      const { simplified } = await import("/playground/stage/brush.js");
      return simplified(points, tolerance);
    }
    """
    straight = [[x, x // 2] for x in range(0, 200, 2)]
    assert guest.page.evaluate(simplified, [straight, 1]) == [straight[0], straight[-1]]
    corner = [*([x, 0] for x in range(50)), *([49, y] for y in range(1, 50))]
    assert guest.page.evaluate(simplified, [corner, 1]) == [[0, 0], [49, 0], [49, 49]]
    assert guest.page.evaluate(simplified, [[[3, 4]], 1]) == [[3, 4]]
    circle = [[round(100 + 50 * np.cos(t)), round(100 + 50 * np.sin(t))] for t in np.linspace(0, 6.28, 400)]
    few = guest.page.evaluate(simplified, [circle, 2])
    assert 8 <= len(few) <= 40


def test_another_box_is_another_cut_that_keeps_the_strokes(done: Visitor) -> None:
    sent = sent_by(done)
    take(done, "Remove")
    paint(done, LEFT)
    done.wait_until_corrected()
    done.by_id("box-toggle").click()
    expect(done.by_id("brush")).to_be_hidden()
    done.by_id("box-toggle").click()
    expect(done.by_id("run")).to_have_text("Apply")
    done.by_id("run").click()
    done.wait_until_done()
    assert alpha_at(done, LEFT, RIGHT) == [0, 255]
    [cut] = sent("RemoveBackground")
    assert cut["Box"] == [24, 16, 216, 144]
    assert len(sent("RefineTask")) == 2
    for _ in range(2):
        done.by_id("undo").click()  # the Box, then the stroke
    assert alpha_at(done, LEFT, RIGHT) == [255, 255]


def test_nothing_that_is_left_is_no_missing_subject(done: Visitor) -> None:
    take(done, "Remove")
    done.by_id("brush-size").fill("120")
    paint(done, *((x, y) for y in range(50, 120, 10) for x in (15, 225)))
    done.wait_until_corrected()
    expect(done.by_id("problem-title")).to_have_text("Nothing is left")
    done.by_id("undo").click()
    expect(done.by_id("problem")).to_be_hidden()

"""Tests of one photo in the playground with the default model: box, request, result, zoom."""

import base64
import io
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FloatRect, expect

from tests.browser.visitor import PHOTO, Visitor, pixel_of_page, visiting
from tests.servers.stack import LiveStack
from tests.waiting import eventually

SCENE = PHOTO.with_name("coffee.jpg")


Point = tuple[float, float]


def pull(visitor: Visitor, start: Point, end: Point) -> None:
    """Move the pointer over the page with its button down."""
    mouse = visitor.page.mouse
    mouse.move(*start)
    mouse.down()
    mouse.move(*end, steps=4)
    mouse.up()


def place_of(visitor: Visitor, name: str) -> FloatRect:
    place = visitor.by_id(name).bounding_box()
    assert place
    return place


def point_in(visitor: Visitor, name: str, x: float, y: float) -> Point:
    """A point of the page, at a part of an element's width and height."""
    place = place_of(visitor, name)
    return place["x"] + x * place["width"], place["y"] + y * place["height"]


def drag(visitor: Visitor, start: Point, end: Point) -> None:
    """Move the pointer over the photo, from one part of its width and height to another."""
    pull(visitor, point_in(visitor, "before", *start), point_in(visitor, "before", *end))


TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""A surface whose size has changed fits its picture in with the next frame."""


def corner_of(visitor: Visitor, name: str) -> Point:
    """Where the left upper corner of an element is on the page, once the picture has been fitted in."""
    visitor.page.evaluate(TWO_FRAMES)
    return point_in(visitor, name, 0, 0)


def box_of(visitor: Visitor) -> list[int]:
    return [int(visitor.by_id(f"box-{side}").input_value()) for side in ("left", "top", "right", "bottom")]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def pixel_at(visitor: Visitor, x: float, y: float) -> tuple[int, ...]:
    """A pixel of the page as it is seen, at a part of the picture's width and height."""
    left, top = point_in(visitor, "after", x, y)
    return pixel_of_page(visitor, int(left), int(top))


@dataclass(frozen=True)
class Visit:
    """A photo that was cut out, and all that the page sent."""

    visitor: Visitor
    box: list[int]
    said: list[str]

    def body(self) -> bytes:
        """The request as the page saves it."""
        return self.visitor.saved_bytes("save-request")


@pytest.fixture(scope="module")
def visit(browser: Browser, stack: LiveStack) -> Iterator[Visit]:
    with visiting(browser, stack) as visitor:
        said: list[str] = []
        visitor.page.on("request", lambda request: said.append(f"{request.headers} {request.post_data}"))
        visitor.open()
        visitor.keep_picture("light-empty")
        visitor.type_keys()
        visitor.choose(PHOTO)
        drag(visitor, (0.05, 0.1), (0.9, 0.95))
        visitor.keep_picture("light-box")
        box = box_of(visitor)
        visitor.slide("foreground", 230)
        visitor.by_id("background-number").fill("20")
        visitor.slide("erode", 9)
        visitor.page.get_by_text("On", exact=True).click()
        visitor.cut_out()
        visitor.keep_picture("light-result")
        visitor.by_id("request").locator("summary").click()
        yield Visit(visitor, box, said)


def test_the_box_is_drawn_stretched_moved_and_typed(visitor: Visitor) -> None:
    visitor.choose(PHOTO)
    with Image.open(PHOTO) as image:
        width, height = image.size
    drag(visitor, (0.1, 0.1), (0.8, 0.9))
    drawn = box_of(visitor)
    for side, expected in zip(drawn, (0.1 * width, 0.1 * height, 0.8 * width, 0.9 * height), strict=True):
        assert abs(side - expected) <= 2
    drag(visitor, (0.8, 0.9), (1.2, 1.3))
    assert box_of(visitor) == [*drawn[:2], width, height]
    drag(visitor, (0.5, 0.5), (0.45, 0.45))
    left, top, right, bottom = box_of(visitor)
    assert left < drawn[0]
    assert (right - left, bottom - top) == (width - drawn[0], height - drawn[1])
    visitor.unfold()
    visitor.by_id("box-left").fill("20")
    visitor.by_id("box-left").press("Tab")
    assert box_of(visitor) == [20, top, right, bottom]


def test_what_was_sent_is_what_was_chosen(visit: Visit) -> None:
    sent = json.loads(visit.body())
    chosen = {"ForegroundThreshold": 230, "BackgroundThreshold": 20, "ErodeSize": 9, "HairOptimization": "on"}
    assert sent.items() >= {**chosen, "OnlyMask": False, "Box": visit.box}.items()
    assert base64.b64decode(sent["RawImage"].partition(",")[2]) == PHOTO.read_bytes()
    for number, slider in (("foreground-number", "foreground"), ("background-number", "background")):
        assert visit.visitor.by_id(number).input_value() == visit.visitor.by_id(slider).input_value()


def test_the_private_key_stays_in_the_tab(visit: Visit, stack: LiveStack) -> None:
    page = visit.visitor.page
    assert len(visit.said) > 8
    shown = [visit.visitor.by_id(name).inner_text() for name in ("curl", "body")]
    for text in (*visit.said, *shown, visit.body().decode(), page.content()):
        assert stack.private_key not in text
    stored = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert stored == '[{},{},""]'


@pytest.mark.needs("curl")
def test_the_command_that_is_shown_does_it_again(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_bytes(visit.body())
    command = visit.visitor.by_id("curl").inner_text()
    done = subprocess.run(["sh", "-c", f"{command} --silent"], cwd=tmp_path, capture_output=True, check=True)
    answer = json.loads(done.stdout)
    assert (answer["RetCode"], answer["Action"]) == (0, "RemoveBackground")


def test_the_png_is_the_services_own_to_the_byte(visit: Visit, stack: LiveStack) -> None:
    uid = httpx.post(stack.url, content=visit.body()).json()["TaskUID"]  # a repeat names the same task
    with stack.client() as client:
        (detail,) = client.call("ListTasksDetails", {"TaskUIDList": [uid]})["TaskDetailList"]
    (address,) = detail["ImgList"]
    data = visit.visitor.saved_bytes(as_format="png")
    assert data == httpx.get(address).content
    alpha = pixels(data)[..., 3]
    left, top, right, bottom = visit.box
    assert alpha[top:bottom, left:right].max() == 255
    alpha[top:bottom, left:right] = 0
    assert alpha.max() == 0
    expect(visit.visitor.by_id("balance")).to_contain_text("unmetered")


def test_the_webp_has_the_same_alpha(visit: Visit) -> None:
    visitor, png = visit.visitor, pixels(visit.visitor.saved_bytes(as_format="png"))
    webp = visitor.saved(as_format="webp")
    assert webp.suggested_filename == "chelsea-cutout.webp"
    expect(visitor.by_id("status")).to_have_text("chelsea-cutout.webp is saved.")
    encoded = Path(webp.path()).read_bytes()
    assert (encoded[:4], encoded[8:12]) == (b"RIFF", b"WEBP")
    assert (pixels(encoded)[..., 3] == png[..., 3]).all()
    solid = png[..., 3] == 255
    assert (pixels(encoded)[solid] == png[solid]).all()
    lossy = visitor.saved_bytes(as_format="webp-lossy")
    assert len(lossy) < len(encoded)
    assert (pixels(lossy)[..., 3] == png[..., 3]).all()


def test_before_and_after_over_what_the_visitor_likes(visitor: Visitor) -> None:
    visitor.type_keys()
    visitor.choose(PHOTO)
    visitor.by_id("box-toggle").click()
    visitor.cut_out()
    outside = (0.02, 0.1)
    visitor.slide("split", 100)
    photo = pixel_at(visitor, *outside)
    visitor.slide("split", 0)
    assert pixel_at(visitor, *outside) in {(255, 255, 255), (211, 216, 214)}
    visitor.page.get_by_text("Colour", exact=True).click()
    visitor.by_id("colour").fill("#2040c0")
    assert pixel_at(visitor, *outside) == (0x20, 0x40, 0xC0)
    visitor.page.get_by_text("Picture", exact=True).click()
    visitor.by_id("scene").set_input_files(SCENE)
    expect(visitor.by_id("backdrop")).to_have_attribute("style", re.compile("blob:"))
    # The style names the picture before it is decoded and painted.
    eventually(lambda: pixel_at(visitor, *outside) not in {photo, (0x20, 0x40, 0xC0)})
    visitor.keep_picture("result-over-a-picture")

    # Back to the Box and back to the result, which is still there.
    visitor.by_id("box-toggle").click()
    expect(visitor.by_id("box")).to_be_visible()
    visitor.by_id("show-result").click()
    expect(visitor.by_id("box")).to_be_hidden()

    # The picture is pulled aside, and comes back.
    left, top = corner_of(visitor, "after")
    pull(visitor, (left + 300, top + 100), (left + 240, top + 120))
    assert corner_of(visitor, "after") == (left - 60, top + 20)
    visitor.by_id("zoom-fit").click()
    assert corner_of(visitor, "after") == (left, top)

    # A knob that is dragged shows the photo again.
    knob = place_of(visitor, "split")
    pull(visitor, (knob["x"] + 19, knob["y"] + 19), (knob["x"] + knob["width"] / 2, knob["y"] + 19))
    assert abs(float(visitor.by_id("split").input_value()) - 50) < 2
    assert pixel_at(visitor, *outside) == photo


def test_zoom_and_pan(visitor: Visitor) -> None:
    visitor.choose(PHOTO)
    level = visitor.by_id("zoom-level")
    fitted = level.inner_text()
    visitor.by_id("zoom-real").click()
    expect(level).to_have_text("100 %")
    visitor.by_id("zoom-in").click()
    expect(level).to_have_text("125 %")
    left, top = corner_of(visitor, "before")
    at = (left + 40, top + 30)
    visitor.page.mouse.move(*at)
    visitor.page.mouse.wheel(0, -400)
    expect(level).to_have_text("228 %")
    # The pixel under the pointer stays there.
    zoomed_left, zoomed_top = corner_of(visitor, "before")
    assert abs((at[0] - zoomed_left) / 2.28 - 40 / 1.25) < 1
    assert abs((at[1] - zoomed_top) / 2.28 - 30 / 1.25) < 1
    visitor.by_id("zoom-fit").click()
    expect(level).to_have_text(fitted)


def test_two_fingers_zoom(browser: Browser, stack: LiveStack) -> None:
    with visiting(browser, stack, size=(390, 780), has_touch=True) as visitor:
        visitor.open()
        visitor.choose(PHOTO)
        x, y = point_in(visitor, "surface", 0.5, 0.5)
        before = place_of(visitor, "before")
        touch = visitor.page.context.new_cdp_session(visitor.page)
        for kind, gap in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
            fingers = [{"x": x - gap, "y": y, "id": 0}, {"x": x + gap, "y": y, "id": 1}] if gap else []
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
        assert 2.8 < place_of(visitor, "before")["width"] / before["width"] < 3.2
        expect(visitor.by_id("box")).to_be_hidden()


def test_a_photo_is_dropped_or_pasted(visitor: Visitor) -> None:
    hand_over = """
    ([kind, name, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
      const event = kind === "drop"
        ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
      document.querySelector("#stage").dispatchEvent(event);
    }
    """
    data = base64.b64encode(PHOTO.read_bytes()).decode()
    for kind in ("drop", "paste"):
        visitor.page.evaluate(hand_over, [kind, f"{kind}.jpg", data])
        expect(visitor.by_id("status")).to_have_text(f"{kind}.jpg, 451 × 300 pixels")
    expect(visitor.by_id("run")).to_be_enabled()

"""What a visitor does with a photo, in a real browser against the live service."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, expect

from keycut import Client
from tests.stack import LiveStack
from tests.test_playground.visitor import PHOTO, Visitor, visiting

SCENE = PHOTO.with_name("coffee.jpg")


def drag(visitor: Visitor, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Move the pointer over the photo, from one part of its width and height to another."""
    place = visitor.by_id("before").bounding_box()
    assert place
    mouse = visitor.page.mouse
    points = [(place["x"] + x * place["width"], place["y"] + y * place["height"]) for x, y in (start, end)]
    mouse.move(*points[0])
    mouse.down()
    mouse.move(*points[1], steps=4)
    mouse.up()


def box_of(visitor: Visitor) -> list[int]:
    return [int(visitor.by_id(f"box-{side}").input_value()) for side in ("left", "top", "right", "bottom")]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def pixel_at(visitor: Visitor, x: float, y: float) -> tuple[int, ...]:
    """A pixel of the page as it is seen, at a part of the picture's width and height."""
    place = visitor.by_id("after").bounding_box()
    assert place
    shot = Image.open(io.BytesIO(visitor.page.screenshot())).convert("RGB")
    found = shot.getpixel((int(place["x"] + x * place["width"]), int(place["y"] + y * place["height"])))
    assert isinstance(found, tuple)
    return found


def test_the_whole_way_of_a_photo(visitor: Visitor, stack: LiveStack, tmp_path: Path) -> None:
    visitor.keep_picture("light-empty")
    said: list[str] = []
    visitor.page.on("request", lambda request: said.append(f"{request.headers} {request.post_data}"))
    visitor.type_keys()
    visitor.choose(PHOTO)

    # The Box, drawn with the pointer, stretched at a handle, and in numbers.
    drag(visitor, (0.1, 0.1), (0.8, 0.9))
    with Image.open(PHOTO) as image:
        width, height = image.size
    drawn = box_of(visitor)
    for side, expected in zip(drawn, (0.1 * width, 0.1 * height, 0.8 * width, 0.9 * height), strict=True):
        assert abs(side - expected) <= 2
    drag(visitor, (0.8, 0.9), (1.2, 1.3))
    assert box_of(visitor)[2:] == [width, height]
    drag(visitor, (0.5, 0.5), (0.45, 0.45))
    moved = box_of(visitor)
    assert moved[0] < drawn[0]
    visitor.by_id("box-left").fill("20")
    visitor.by_id("box-left").press("Tab")
    assert box_of(visitor) == [20, *moved[1:]]
    visitor.keep_picture("light-box")

    visitor.slide("foreground", 230)
    visitor.by_id("background-number").fill("20")
    visitor.slide("erode", 9)
    visitor.page.get_by_text("On", exact=True).click()
    assert visitor.by_id("foreground-number").input_value() == "230"
    assert visitor.by_id("background").input_value() == "20"
    visitor.cut_out()
    expect(visitor.by_id("balance")).to_contain_text("credits left")
    visitor.keep_picture("light-result")

    # What was sent is what was chosen, and the command that is shown does it.
    visitor.by_id("request").locator("summary").click()
    body = Path(visitor.saved("save-request").path()).read_bytes()
    sent = json.loads(body)
    chosen = {"ForegroundThreshold": 230, "BackgroundThreshold": 20, "ErodeSize": 9, "HairOptimization": "on"}
    assert sent.items() >= {**chosen, "OnlyMask": False, "Box": [20, *moved[1:]]}.items()
    command = visitor.by_id("curl").inner_text()
    for shown in (command, visitor.by_id("body").inner_text(), body.decode()):
        assert stack.private_key not in shown
    assert said
    assert not any(stack.private_key in request for request in said)
    stored = visitor.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert stored == '[{},{},""]'
    (tmp_path / "request.json").write_bytes(body)
    done = subprocess.run(["sh", "-c", f"{command} --silent"], cwd=tmp_path, capture_output=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["RetCode"] == 0

    # The same task: its result is byte for byte what the page saves.
    with Client(stack.url, stack.public_key, stack.private_key) as client:
        listed = client.call("ListTasksDetails", {"TaskUIDList": [answer["TaskUID"]]})
    (detail,) = listed["TaskDetailList"]
    (address,) = detail["ImgList"]
    png = visitor.saved("save-png")
    assert png.suggested_filename == "chelsea-cutout.png"
    data = Path(png.path()).read_bytes()
    assert data == httpx.get(address).content
    alpha = pixels(data)[..., 3]
    assert alpha.shape == (height, width)
    assert (alpha[:, :20] == 0).all()
    assert alpha.max() == 255

    webp = visitor.saved("save-webp")
    assert webp.suggested_filename == "chelsea-cutout.webp"
    expect(visitor.by_id("status")).to_contain_text("saved")
    encoded = Path(webp.path()).read_bytes()
    assert (encoded[:4], encoded[8:12]) == (b"RIFF", b"WEBP")
    assert (pixels(encoded)[..., 3] == alpha).all()
    solid = alpha == 255
    assert (pixels(encoded)[solid] == pixels(data)[solid]).all()
    visitor.by_id("webp-quality").select_option("0.75")
    assert len(Path(visitor.saved("save-webp").path()).read_bytes()) < len(encoded)


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
    assert pixel_at(visitor, *outside) not in {photo, (0x20, 0x40, 0xC0)}
    visitor.keep_picture("result-over-a-picture")

    # Back to the Box and back to the result, which is still there.
    visitor.by_id("box-toggle").click()
    expect(visitor.by_id("box")).to_be_visible()
    visitor.by_id("show-result").click()
    expect(visitor.by_id("box")).to_be_hidden()

    # The picture is pulled aside, and comes back.
    drag(visitor, (0.7, 0.3), (0.6, 0.3))
    pulled = visitor.by_id("after").bounding_box()
    assert pulled
    visitor.by_id("zoom-fit").click()
    fitted = visitor.by_id("after").bounding_box()
    assert fitted
    assert abs(fitted["x"] - pulled["x"] - 0.1 * fitted["width"]) < 3

    # A knob that is dragged shows the photo again.
    knob = visitor.by_id("split").bounding_box()
    assert knob
    mouse = visitor.page.mouse
    mouse.move(knob["x"] + 19, knob["y"] + 19)
    mouse.down()
    mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + 19, steps=3)
    mouse.up()
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
    place = visitor.by_id("before").bounding_box()
    assert place
    at = (place["x"] + 40, place["y"] + 30)
    visitor.page.mouse.move(*at)
    visitor.page.mouse.wheel(0, -400)
    expect(level).to_have_text("228 %")
    zoomed = visitor.by_id("before").bounding_box()
    assert zoomed
    # The pixel under the pointer stays there.
    for axis, length, offset in (("x", "width", at[0]), ("y", "height", at[1])):
        before = (offset - place[axis]) / place[length]  # type: ignore[literal-required]
        after = (offset - zoomed[axis]) / zoomed[length]  # type: ignore[literal-required]
        assert abs(before - after) < 0.01
    visitor.by_id("zoom-fit").click()
    expect(level).to_have_text(fitted)


def test_only_the_mask(visitor: Visitor) -> None:
    visitor.type_keys()
    visitor.choose(PHOTO)
    visitor.by_id("only-mask").check()
    visitor.cut_out()
    png = visitor.saved("save-png")
    assert png.suggested_filename == "chelsea-mask.png"
    with Image.open(png.path()) as image:
        assert image.mode == "L"


def test_two_fingers_zoom(browser: Browser, stack: LiveStack) -> None:
    with visiting(browser, stack, size=(390, 780), has_touch=True) as visitor:
        visitor.open()
        visitor.choose(PHOTO)
        place = visitor.by_id("surface").bounding_box()
        assert place
        x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        before = visitor.by_id("before").bounding_box()
        touch = visitor.page.context.new_cdp_session(visitor.page)
        for kind, gap in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
            fingers = [{"x": x - gap, "y": y, "id": 0}, {"x": x + gap, "y": y, "id": 1}] if gap else []
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
        after = visitor.by_id("before").bounding_box()
        assert before
        assert after
        assert 2.8 < after["width"] / before["width"] < 3.2
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

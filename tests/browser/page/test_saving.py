"""Tests of saving in the playground: the file has the backdrop, format and frame that the page shows."""

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Error, Page, expect

from cutgate.worker.composition.backdrop import subject_box
from cutgate.worker.composition.compose import with_shadow
from tests.browser.page.conftest import SIZE, picture
from tests.browser.visitor import Visitor, visiting
from tests.servers.stack import LiveStack

GREEN = (0x20, 0xC0, 0x40)
SEEN_FROM = 16
"""Alpha from which a pixel counts as the subject's."""


@pytest.fixture
def done(visitor: Visitor, tmp_path: Path) -> Visitor:
    visitor.choose(picture(tmp_path / "disc.png"))
    visitor.cut_out()
    return visitor


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def alpha_of(visitor: Visitor) -> np.ndarray:
    return np.asarray(opened(visitor.saved_bytes(as_format="png")).convert("RGBA"))[..., 3]


def bounds(shown: np.ndarray) -> list[int]:
    """Left, top, right and bottom of what is true."""
    rows, columns = np.nonzero(shown)
    return [int(edge) for edge in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def behind(visitor: Visitor, choice: str) -> None:
    visitor.by_id("look").get_by_text(choice, exact=True).click()


def behind_green(visitor: Visitor) -> None:
    behind(visitor, "Colour")
    visitor.by_id("colour").fill("#{:02x}{:02x}{:02x}".format(*GREEN))


def test_the_colour_is_in_the_file(done: Visitor) -> None:
    alpha = alpha_of(done)
    behind_green(done)
    saved = opened(done.saved_bytes(as_format="png")).convert("RGBA")
    pixels = np.asarray(saved).astype(int)
    assert saved.size == SIZE
    assert (pixels[..., 3] == 255).all()
    assert (pixels[alpha == 0][:, :3] == GREEN).all()
    assert (np.abs(pixels[alpha == 255][:, :3] - GREEN).max(axis=1) > 100).all()


def test_a_jpeg_needs_something_behind_it(done: Visitor) -> None:
    done.by_id("format").select_option("jpeg")
    expect(done.by_id("save")).to_be_disabled()
    expect(done.by_id("save-hint")).to_contain_text("JPEG cannot be transparent: choose a colour")
    behind_green(done)
    expect(done.by_id("save-hint")).to_have_text("")
    saved = done.saved()
    assert saved.suggested_filename == "disc-cutout.jpg"
    with Image.open(saved.path()) as image:
        assert (image.format, image.size) == ("JPEG", SIZE)
        corner = image.getpixel((2, 2))
    assert isinstance(corner, tuple)
    assert max(abs(one - other) for one, other in zip(corner, GREEN, strict=True)) < 6


def test_a_zip_that_cannot_be_written_leaves_no_progress_behind(done: Visitor, tmp_path: Path) -> None:
    done.choose(picture(tmp_path / "other.png"))
    done.wait_until_done()
    done.page.evaluate("() => void (HTMLCanvasElement.prototype.toBlob = (take) => take(null))")
    done.by_id("format").select_option("webp")
    done.by_id("save-all").click()
    expect(done.by_id("problem-title")).to_have_text("This browser cannot write this picture so")
    expect(done.by_id("status")).to_have_text("")
    expect(done.by_id("save-all")).to_be_enabled()


def test_a_mask_is_opaque_by_itself(visitor: Visitor, tmp_path: Path) -> None:
    visitor.choose(picture(tmp_path / "disc.png"))
    visitor.unfold()
    visitor.by_id("only-mask").check()
    visitor.cut_out()
    saved = visitor.saved(as_format="jpeg")
    assert saved.suggested_filename == "disc-mask.jpg"
    with Image.open(saved.path()) as image:
        low, high = image.convert("L").getextrema()
    assert low < 10  # type: ignore[operator]
    assert high > 245  # type: ignore[operator]


def test_the_picture_behind_covers_all_as_it_does_on_the_page(done: Visitor, tmp_path: Path) -> None:
    alpha = alpha_of(done)
    scene = Image.linear_gradient("L").resize((400, 100)).rotate(90, expand=True).convert("RGB")
    scene.save(tmp_path / "scene.png")
    behind(done, "Picture")
    done.by_id("scene").set_input_files(tmp_path / "scene.png")
    expect(done.by_id("scene-choose")).to_be_visible()
    saved = np.asarray(opened(done.saved_bytes(as_format="png")).convert("RGB")).astype(int)
    covered = np.asarray(ImageOps.fit(scene, SIZE, Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(saved - covered)[alpha == 0].max() <= 4


@pytest.mark.parametrize("percent", [None, 0, 20])
def test_it_is_cropped_to_the_subject_with_a_margin(done: Visitor, percent: int | None) -> None:
    whole = alpha_of(done)
    left, top, right, bottom = bounds(whole >= SEEN_FROM)
    done.by_id("crop").check()
    if percent is not None:
        done.by_id("margin").fill(str(percent))
    margin = round(max(right - left, bottom - top) * (5 if percent is None else percent) / 100)
    expected = whole[top - margin : bottom + margin, left - margin : right + margin]
    assert (alpha_of(done) == expected).all()
    done.by_id("crop").uncheck()
    assert (alpha_of(done) == whole).all()


def test_the_subject_has_the_size_and_the_place_that_were_chosen(done: Visitor) -> None:
    left, top, right, bottom = bounds(alpha_of(done) >= SEEN_FROM)
    done.by_id("position").select_option(label="Right")
    width, height = SIZE
    upper = round((height - (bottom - top)) / 2)
    assert bounds(alpha_of(done) >= SEEN_FROM) == [width - (right - left), upper, width, upper + bottom - top]
    done.by_id("size").select_option(label="50 %")
    done.by_id("position").select_option(label="Top")
    scaled = bounds(alpha_of(done) >= SEEN_FROM)
    wide = (right - left) * height / 2 / (bottom - top)
    assert np.abs(np.subtract(scaled, [(width - wide) / 2, 0, (width + wide) / 2, height / 2])).max() <= 1.5


def test_the_shadow_is_the_services_own(visitor: Visitor, tmp_path: Path) -> None:
    visitor.choose(picture(tmp_path / "disc.png", disc=(300, 150, 700, 550), size=(960, 640)))
    visitor.cut_out()
    cutout = np.asarray(opened(visitor.saved_bytes(as_format="png")).convert("RGBA"))
    visitor.by_id("shadow").fill("80")
    shaded = np.asarray(opened(visitor.saved_bytes()).convert("RGBA")).astype(int)
    subject = subject_box(cutout[..., 3])
    assert subject
    expected = with_shadow(cutout, subject, 0.8).astype(int)
    assert (shaded[..., 3] > cutout[..., 3]).mean() > 0.02
    assert np.abs(shaded[..., 3] - expected[..., 3]).max() <= 6
    assert shaded[(shaded[..., 3] > SEEN_FROM) & (cutout[..., 3] == 0)][:, :3].max() == 0


@pytest.mark.parametrize(
    ("preset", "size", "share", "middle"),
    [
        ("Amazon, 2000 × 2000", (2000, 2000), 0.85, True),
        ("eBay, 1600 × 1600", (1600, 1600), 0.9, True),
        ("Square post, 1080 × 1080", (1080, 1080), 0.8, True),
        ("Passport, 35 × 45 mm", (413, 531), 0.9, False),
    ],
)
def test_presets_have_the_size_the_ground_and_the_place_that_they_name(
    done: Visitor, preset: str, size: tuple[int, int], share: float, *, middle: bool
) -> None:
    done.by_id("preset").select_option(label=preset)
    expect(done.by_id("save-hint")).to_have_text(re.compile("^Enlarged .* a larger photo would be sharper"))
    saved = done.saved()
    assert saved.suggested_filename == "disc-cutout.jpg"
    with Image.open(saved.path()) as image:
        assert (image.format, image.size) == ("JPEG", size)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    corners = pixels[[0, 0, -1], [0, -1, 0]]
    assert (corners == 255).all()
    left, top, right, bottom = bounds(pixels.max(axis=2) < 128)
    assert max((right - left) / size[0], (bottom - top) / size[1]) == pytest.approx(share, abs=0.02)
    assert left == pytest.approx(size[0] - right, abs=3)
    assert (top if middle else 0) == pytest.approx(size[1] - bottom, abs=5)
    done.by_id("preset").select_option(label="As the photo")
    assert opened(done.saved_bytes()).size == SIZE


def test_a_preset_without_a_subject_holds_the_whole_photo(visitor: Visitor, tmp_path: Path) -> None:
    visitor.choose(picture(tmp_path / "wall.png", disc=None))
    visitor.cut_out()
    visitor.by_id("preset").select_option(label="Square post, 1080 × 1080")
    assert opened(visitor.saved_bytes()).size == (1080, 1080)


def test_what_is_seen_is_what_is_saved(done: Visitor) -> None:
    behind_green(done)
    done.by_id("crop").check()
    done.by_id("margin").fill("40")
    done.by_id("shadow").fill("80")
    done.by_id("size").select_option(label="60 %")
    done.by_id("position").select_option(label="Bottom")
    done.slide("split", 0)
    saved = opened(done.saved_bytes(as_format="png")).convert("RGB")
    done.by_id("split").evaluate("split => (split.style.visibility = 'hidden')")
    done.by_id("divider").evaluate("divider => (divider.style.visibility = 'hidden')")
    seen = opened(done.by_id("after").screenshot(animations="disabled")).convert("RGB").resize(saved.size)
    done.keep_picture("composed")
    assert np.abs(np.asarray(seen).astype(int) - np.asarray(saved)).mean() < 2


def test_without_a_subject_there_is_nothing_to_crop_to(visitor: Visitor, tmp_path: Path) -> None:
    visitor.choose(picture(tmp_path / "wall.png", disc=None))
    visitor.cut_out()
    expect(visitor.by_id("status")).to_contain_text("no subject was found")
    visitor.by_id("crop").check()
    assert opened(visitor.saved_bytes()).size == SIZE


ZIP = """
async (files) => {
  const { zip } = await import("/playground/saving/zip.js");
  const blobs = files.map(([name, text]) => ({ name, blob: new Blob([text]) }));
  const archive = await zip(blobs, new Date(2026, 10, 21, 9, 30, 14));
  const bytes = new Uint8Array(await archive.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
"""
TOO_MUCH = """
async ([count, bytes]) => {
  const { zip } = await import("/playground/saving/zip.js");
  await zip(Array.from({ length: count }, (_, at) => ({ name: `${at}`, blob: { size: bytes } })));
}
"""
DISTINCT = """
async (names) => (await import("/playground/saving/saving.js")).distinct(names)
"""


@pytest.fixture(scope="module")
def page(browser: Browser, quick_stack: LiveStack) -> Iterator[Page]:
    with visiting(browser, quick_stack) as visitor:
        visitor.open()
        yield visitor.page


def test_what_is_put_in_comes_out(page: Page) -> None:
    files = [("cat.png", "x" * 70_000), ("Žluťoučký kůň 🐈.png", "horse"), ("empty", "")]
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(page.evaluate(ZIP, [list(file) for file in files]))))
    assert archive.testzip() is None
    assert [(name, archive.read(name).decode()) for name in archive.namelist()] == files
    assert {info.date_time for info in archive.infolist()} == {(2026, 11, 21, 9, 30, 14)}
    assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_none_is_an_archive_too(page: Page) -> None:
    assert zipfile.ZipFile(io.BytesIO(base64.b64decode(page.evaluate(ZIP, [])))).namelist() == []


@pytest.mark.parametrize(("count", "size"), [(1, 2**32), (5, 2**30), (65_536, 0)])
def test_too_much_is_told_before_anything_is_read(page: Page, count: int, size: int) -> None:
    with pytest.raises(Error, match="This is too much for one ZIP"):
        page.evaluate(TOO_MUCH, [count, size])


def test_names_that_clash_are_numbered(page: Page) -> None:
    names = ["a.png", "A.png", "a.png", "a-2.png", "b.tar.png", ".png", "c", "c"]
    assert page.evaluate(DISTINCT, names) == [
        *("a.png", "A-2.png", "a-3.png", "a-2-2.png", "b.tar.png", ".png", "c", "c-2")
    ]

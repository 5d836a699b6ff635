"""Tests of EXIF orientation: browser, gateway and Pillow agree on what is upright."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser

from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import inspect
from tests.browser.visitor import Visitor, visiting
from tests.servers.stack import LiveStack

SIZE = (48, 32)
CORNERS = """
async () => {
  const image = document.querySelector("#before");
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const at = (x, y) => Array.from(context.getImageData(x, y, 1, 1).data).slice(0, 3);
  const [right, bottom] = [canvas.width - 3, canvas.height - 3];
  const corners = [at(2, 2), at(right, 2), at(2, bottom), at(right, bottom)];
  return { size: [canvas.width, canvas.height], corners };
}
"""


def photo(orientation: int) -> bytes:
    """Four quarters of different colours, stored turned."""
    image = Image.new("RGB", SIZE)
    for index, colour in enumerate([(250, 20, 20), (20, 250, 20), (20, 20, 250), (240, 240, 20)]):
        left, top = index % 2 * SIZE[0] // 2, index // 2 * SIZE[1] // 2
        image.paste(colour, (left, top, left + SIZE[0] // 2, top + SIZE[1] // 2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    return file.getvalue()


@pytest.fixture(scope="module")
def visitor(browser: Browser, stack: LiveStack) -> Iterator[Visitor]:
    with visiting(browser, stack) as visitor:
        visitor.open()
        yield visitor


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_browser_the_gateway_and_pillow_agree(visitor: Visitor, tmp_path: Path, orientation: int) -> None:
    data = photo(orientation)
    path = tmp_path / f"turned-{orientation}.jpg"
    path.write_bytes(data)
    visitor.choose(path)
    shown = visitor.page.evaluate(CORNERS)
    header = inspect(data, SourceLimits(max_bytes=10**6, max_pixels=10**6, max_side_px=10**4))
    assert shown["size"] == [header.width_px, header.height_px]
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    right, bottom = upright.width - 3, upright.height - 3
    for corner, place in zip(shown["corners"], [(2, 2), (right, 2), (2, bottom), (right, bottom)], strict=True):
        expected = upright.getpixel(place)
        assert isinstance(expected, tuple)
        assert max(abs(one - other) for one, other in zip(corner, expected, strict=True)) < 12

"""Headers of files that a real encoder wrote, held to what its decoder says of them."""

import io
from typing import Any

import pillow_heif
import pytest
from PIL import Image, ImageOps

from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import inspect

LIMITS = SourceLimits(max_bytes=2**22, max_pixels=10**6, max_side_px=2_000)

MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGBA", "P", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "P", "1"),
    "GIF": ("P",),
    "TIFF": ("RGB",),
    "AVIF": ("RGB", "RGBA"),
}
FILES: list[tuple[str, str, dict[str, Any]]] = [
    *((form, mode, {}) for form, modes in MODES.items() for mode in modes),
    ("JPEG", "RGB", {"progressive": True, "optimize": True}),
    ("JPEG", "RGB", {"icc_profile": bytes(200_000)}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
]
WITHOUT_EXIF = {"BMP", "GIF"}


def encode(form: str, mode: str, options: dict[str, Any], orientation: int | None) -> bytes:
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {**options, "exif": exif}
    picture = Image.effect_noise((301, 200), 80)
    buffer = io.BytesIO()
    picture.convert("L").convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("form", "mode", "options"), FILES, ids=lambda value: str(value)[:40])
def test_size_is_the_decoders(form: str, mode: str, options: dict[str, Any]) -> None:
    for orientation in (None, *(() if form in WITHOUT_EXIF else range(1, 9))):
        data = encode(form, mode, options, orientation)
        with Image.open(io.BytesIO(data)) as opened:
            expected = ImageOps.exif_transpose(opened).size
        header = inspect(data, LIMITS)
        assert (header.width_px, header.height_px) == expected, orientation


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_turned_by_its_own_property_and_not_by_exif(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = pillow_heif.from_pillow(Image.new("RGB", (300, 200)))
    buffer = io.BytesIO()
    picture.save(buffer, exif=exif.tobytes())
    opened = pillow_heif.open_heif(io.BytesIO(buffer.getvalue()))
    header = inspect(buffer.getvalue(), LIMITS)
    assert header.media_type == "image/heic"
    assert (header.width_px, header.height_px) == opened.size


def test_an_animation_is_taken_by_its_first_frame() -> None:
    frames = [Image.effect_noise((30, 20), 80) for _ in range(3)]
    for form in ("GIF", "WEBP", "PNG", "AVIF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
        header = inspect(buffer.getvalue(), LIMITS)
        assert (header.width_px, header.height_px) == (30, 20)

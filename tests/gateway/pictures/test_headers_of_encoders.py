"""Headers of files that a real encoder wrote, held to what its decoder says of them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageOps

from cutgate.gateway.pictures.headers import inspect
from cutgate.jobs.limits import SourceLimits

LIMITS = SourceLimits(max_bytes=2**22, max_pixels=10**6, max_side_px=2_000)

FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg progressive": ("JPEG", "RGB", {"progressive": True, "optimize": True}),
    "jpeg with a large profile": ("JPEG", "RGB", {"icc_profile": bytes(200_000)}),
    "jpeg grey": ("JPEG", "L", {}),
    "jpeg four colours": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGBA", {}),
    "png palette": ("PNG", "P", {}),
    "png 16 bit": ("PNG", "I;16", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp with alpha": ("WEBP", "RGBA", {}),
    "webp lossless": ("WEBP", "RGBA", {"lossless": True}),
    "bmp": ("BMP", "RGB", {}),
    "bmp palette": ("BMP", "P", {}),
    "bmp one bit": ("BMP", "1", {}),
    "gif": ("GIF", "P", {}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "avif": ("AVIF", "RGB", {}),
    "avif with alpha": ("AVIF", "RGBA", {}),
}
WITHOUT_EXIF = {"BMP", "GIF"}


def encode(name: str, orientation: int | None) -> bytes:
    form, mode, options = FILES[name]
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {**options, "exif": exif}
    picture = Image.effect_noise((301, 200), 80)
    buffer = io.BytesIO()
    picture.convert("L").convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "orientation"),
    [
        (name, orientation)
        for name, (form, _, _) in FILES.items()
        for orientation in [None, *(() if form in WITHOUT_EXIF else range(1, 9))]
    ],
)
def test_size_is_the_decoders(name: str, orientation: int | None) -> None:
    data = encode(name, orientation)
    with Image.open(io.BytesIO(data)) as opened:
        expected = ImageOps.exif_transpose(opened).size
    header = inspect(data, LIMITS)
    assert (header.width_px, header.height_px) == expected


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_turned_by_its_own_property_and_not_by_exif(orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = heif.from_pillow(Image.new("RGB", (300, 200)))
    buffer = io.BytesIO()
    picture.save(buffer, exif=exif.tobytes())
    opened = heif.open_heif(io.BytesIO(buffer.getvalue()))
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

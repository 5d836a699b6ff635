"""Small pictures, files and profiles that several tests share."""

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms

from cutgate.jobs.limits import SourceLimits
from cutgate.worker.cutout.raster.arrays import Bytes, Levels, RgbaImage

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=100_000, max_side_px=1000)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gradient(height_px: int = 24, width_px: int = 40) -> Bytes:
    """A picture in which every pixel differs from its neighbours, and no corner is like another."""
    rows, columns = np.mgrid[:height_px, :width_px]
    return np.dstack([rows * 255 // height_px, columns * 255 // width_px, 255 - rows * 4]).astype(np.uint8)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def wide_profile() -> bytes:
    """An RGB profile whose primaries are sRGB's in another order: red means green. Nobody could overlook it."""
    profile = bytearray(SRGB)
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


def grey_profile(gamma: float) -> bytes:
    """A grey profile with a gamma curve, written by hand after ICC.1:2010 (version 2, D50)."""
    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + bytes(2)
    white = b"XYZ " + bytes(4) + bytes.fromhex("0000f6d6 00010000 0000d32d".replace(" ", ""))
    text = b"text" + bytes(4) + b"grey\x00\x00\x00\x00"
    desc = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"grey\x00" + bytes(78) + bytes(1)
    tags = [(b"desc", desc), (b"cprt", text), (b"wtpt", white), (b"kTRC", curve)]
    offset, table, body = 132 + 12 * len(tags), len(tags).to_bytes(4, "big"), b""
    for name, data in tags:
        table += name + (offset + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data + bytes(-len(data) % 4)
    head = bytearray(128)
    head[0:4] = (128 + len(table) + len(body)).to_bytes(4, "big")
    head[8:12], head[12:24], head[36:40] = b"\x02\x10\x00\x00", b"mntrGRAYXYZ ", b"acsp"
    head[68:80] = bytes.fromhex("0000f6d6000100000000d32d")
    return bytes(head) + table + body


def by_cv2(png: bytes) -> Levels:
    """The file as OpenCV reads it, with the channels in the order of the file."""
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]] if pixels.ndim == 3 else pixels
    return np.asarray(pixels, np.uint16) if pixels.dtype == np.uint16 else np.asarray(pixels, np.uint8)


def subject() -> RgbaImage:
    """Red, 8 px by 4 px, opaque on its left half and half transparent on its right; in 40 px by 30 px."""
    pixels = np.zeros((30, 40, 4), np.uint8)
    pixels[10:14, 20:28] = (255, 0, 0, 255)
    pixels[10:14, 24:28, 3] = 128
    return pixels

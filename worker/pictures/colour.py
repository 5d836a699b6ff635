"""Colour profiles: converts pictures to sRGB."""

import io
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms

from cutgate.worker.cutout.raster.arrays import RgbImage, strips

SRGB_GAMMA: Final = 1 / 2.2
LIKE_SRGB: Final = 0.05
"""An exponent that differs by less than this share is taken for sRGB's."""
PLAUSIBLE_GAMMA: Final = (0.2, 5.0)
_SPACE_OF: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_LATTICE: Final = np.stack(np.meshgrid(*[np.linspace(0, 255, 9).astype(np.uint8)] * 3), axis=-1).reshape(27, 27, 3)


def to_srgb(picture: Image.Image, icc: bytes | None) -> Image.Image:
    """The picture in sRGB, by its profile. Without a usable one its numbers count as sRGB, or as plain CMYK."""
    if icc is not None:
        if picture.mode == "L" and is_rgb_profile(icc):
            picture = picture.convert("RGB")
        transform = _transform(icc, picture.mode)
        if transform is not None:
            return transform.apply(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")  # `convert` would copy


def gamma_of(info: Mapping[Any, Any]) -> float:
    """The exponent that a PNG file's levels are encoded with, by its gAMA chunk; without one sRGB's."""
    gamma = SRGB_GAMMA if "srgb" in info else float(info.get("gamma", SRGB_GAMMA))
    return gamma if PLAUSIBLE_GAMMA[0] <= gamma <= PLAUSIBLE_GAMMA[1] else SRGB_GAMMA


def from_gamma(picture: Image.Image, gamma: float) -> Image.Image:
    """A picture of mode `RGB`, encoded with some exponent, in sRGB (IEC 61966-2-1)."""
    if abs(gamma / SRGB_GAMMA - 1) < LIKE_SRGB:
        return picture
    light = np.linspace(0, 1, 256) ** (1 / gamma)
    levels = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return picture.point(np.rint(255 * levels).astype(int).tolist() * 3)


def converted_to_srgb(pixels: RgbImage, icc: bytes) -> RgbImage:
    """Colours that keep to an RGB profile, as sRGB; themselves where the profile is sRGB's, or cannot be used."""
    transform = _transform(icc, "RGB")
    return pixels if transform is None else _transformed(pixels, transform)


def converted_from_srgb(pixels: RgbImage, icc: bytes) -> RgbImage:
    """Colours in sRGB as the numbers of an RGB profile; unchanged where that profile cannot be written to."""
    try:
        transform = ImageCms.ImageCmsTransform(_srgb(), ImageCms.ImageCmsProfile(io.BytesIO(icc)), "RGB", "RGB")
    except (OSError, ValueError):  # a profile of an input device may lack the tables for this direction
        return pixels
    return _transformed(pixels, transform)


def means_srgb(icc: bytes) -> bool:
    """Whether an RGB profile is sRGB's, whatever it is called."""
    return _transform(icc, "RGB") is None


def is_rgb_profile(icc: bytes) -> bool:
    """Whether the bytes are a whole profile for RGB pictures."""
    return _profile(icc, "RGB") is not None


def _transformed(pixels: RgbImage, transform: ImageCms.ImageCmsTransform) -> RgbImage:
    """Strip by strip: whole, Pillow would hold the picture twice, with four bytes for a pixel."""
    colours = np.empty_like(pixels)
    for strip in strips(len(pixels)):
        colours[strip] = np.asarray(transform.apply(Image.fromarray(pixels[strip])))
    return colours


def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from the profile to sRGB; None when there is none, or nothing would change."""
    profile = _profile(icc, _SPACE_OF[mode])
    if profile is None:
        return None
    try:
        transform = ImageCms.ImageCmsTransform(profile, _srgb(), mode, "RGB")
    except (OSError, ValueError):  # a profile that opens but lacks the tables for this direction
        return None
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours all over the cube stay within one level: the profile is sRGB, whatever it is called."""
    after = np.asarray(transform.apply(Image.fromarray(_LATTICE)), np.int16)
    return bool(np.abs(after - _LATTICE).max() <= 1)


def _srgb() -> ImageCms.ImageCmsProfile:
    # Made anew each time: threads must not share one.
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _profile(icc: bytes, space: str) -> ImageCms.ImageCmsProfile | None:
    """A profile, where the bytes are a whole one for this colour space."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ValueError, TypeError):
        return None
    return profile if str(profile.profile.xcolor_space).strip() == space else None

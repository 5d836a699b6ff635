"""Tests of Runware's settings on pixels: the real gateway and pipeline, and a network that finds what is dark."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.gateway.runware.service import Service, dark

Bytes = npt.NDArray[np.uint8]

WHITE = (255, 255, 255)
SIDE_PX = 64


@pytest.fixture
def service(patient_service: Service) -> Service:
    return patient_service


@pytest.fixture(scope="module")
def picture() -> Bytes:
    """A dark red square whose edge fades into white over 16 pixels, and one dark speck in a corner."""
    distance = np.maximum(*np.abs(np.mgrid[:SIDE_PX, :SIDE_PX] - (SIDE_PX - 1) / 2))
    share = np.clip((24 - distance) / 16, 0, 1)[..., None]
    pixels = np.asarray(np.rint(share * (40, 0, 0) + (1 - share) * WHITE), np.uint8)
    pixels[3, 3] = 0
    return pixels


def matted(service: Service, picture: Bytes, **numbers: int) -> Bytes:
    """Alpha with matting."""
    cut, _ = service.cut(picture, outputFormat="PNG", alphaMatting=True, **numbers)
    return cut[..., 3]


def test_matting_estimates_alpha_anew_between_what_is_certain(service: Service, picture: Bytes) -> None:
    alpha, level = matted(service, picture, alphaMattingErodeSize=1), dark(picture)
    assert (alpha[level > 240] == 255).all()
    assert (alpha[level < 10] == 0).all()
    assert not np.array_equal(alpha, level)


@pytest.mark.parametrize(("name", "known"), [("Foreground", 255), ("Background", 0)])
def test_thresholds_are_strict_as_rembg_reads_them(
    service: Service, picture: Bytes, name: str, known: int
) -> None:
    """A pixel at a threshold is uncertain; one level beyond it is certain. No pixel has the level beyond."""
    levels = np.unique(dark(picture)).tolist()
    level = next(level for level in levels if level > 100)
    beyond = level - 1 if known else level + 1
    assert beyond not in levels
    at_level, past_level = (
        matted(service, picture, **{f"alphaMatting{name}Threshold": threshold, "alphaMattingErodeSize": 1})
        for threshold in (level, beyond)
    )
    assert (past_level[dark(picture) == level] == known).all()
    assert not np.array_equal(at_level, past_level)


def test_rgba_fills_what_is_removed(service: Service, picture: Bytes) -> None:
    cut, _ = service.cut(picture, outputFormat="PNG", rgba=[0, 128, 255, 255])
    opaque = cut[..., 3] if cut.shape[2] == 4 else np.full(cut.shape[:2], 255)
    assert (opaque == 255).all()
    assert cut[0, 0, :3].tolist() == [0, 128, 255]
    level = dark(picture)[32, 12] / 255
    expected = level * picture[32, 12] + (1 - level) * np.array((0, 128, 255))
    np.testing.assert_allclose(cut[32, 12, :3], expected, atol=1)


@pytest.mark.parametrize(("rgba", "expected"), [(None, WHITE), ([255, 0, 0, 0], (255, 0, 0))])
def test_jpg_lies_over_the_colour_and_is_never_black(
    service: Service, picture: Bytes, rgba: list[int] | None, expected: tuple[int, int, int]
) -> None:
    cut, _ = service.cut(picture, rgba=rgba)
    assert cut.shape == (SIDE_PX, SIDE_PX, 3)
    assert cut[0, SIDE_PX - 1].tolist() == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("output_format", ["PNG", "WEBP", "JPG"])
def test_the_mask_alone_is_white_on_the_subject(service: Service, picture: Bytes, output_format: str) -> None:
    """Also where a background is given: there is nothing to lay over it."""
    mask, _ = service.cut(picture, returnOnlyMask=True, outputFormat=output_format, rgba=[255, 0, 0, 255])
    level = mask if mask.ndim == 2 else mask[..., 0]
    assert level.shape == (SIDE_PX, SIDE_PX)
    np.testing.assert_allclose(level.astype(float), dark(picture), atol=0 if output_format == "PNG" else 30)


def test_quality_is_that_of_lossy_formats(service: Service) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (SIDE_PX, SIDE_PX, 3), np.uint8)
    for output_format, is_lossy in (("JPG", True), ("WEBP", True), ("PNG", False)):
        sizes = [
            len(service.cut(noise, outputFormat=output_format, outputQuality=quality)[1]["imageBase64Data"])
            for quality in (20, 95)
        ]
        assert (sizes[0] < 0.7 * sizes[1]) is is_lossy, output_format

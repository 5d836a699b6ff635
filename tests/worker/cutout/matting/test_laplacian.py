"""The sparse rows against the paper's formula, written out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cutgate.worker.cutout.matting import laplacian
from cutgate.worker.cutout.matting.laplacian import affine_models, laplacian_rows, margin
from cutgate.worker.cutout.raster.arrays import RgbImage
from cutgate.worker.cutout.raster.filters import to_unit

EPSILON = 1e-4


def written_out(image: RgbImage, epsilon: float) -> NDArray[np.float64]:
    """Equation 12 of Levin, Lischinski and Weiss, window by window: (pixels, pixels)."""
    height, width = image.shape[:2]
    laplacian = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            members = [(y + dy) * width + x + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            colours = image.reshape(-1, 3)[members] / 255
            centred = colours - colours.mean(axis=0)
            covariance = centred.T @ centred / 9 + epsilon * np.eye(3)
            affinity = (1 + centred @ np.linalg.inv(covariance) @ centred.T) / 9
            laplacian[np.ix_(members, members)] += np.eye(9) - affinity
    return laplacian


def picture(height: int = 9, width: int = 7) -> RgbImage:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def some_unknown(image: RgbImage) -> NDArray[np.bool_]:
    return np.random.default_rng(1).random(image.shape[:2]) < 0.5


def test_rows_are_the_formula() -> None:
    image = picture()
    unknown = some_unknown(image)
    expected = np.pad(
        written_out(image, EPSILON)[np.flatnonzero(unknown)], ((0, 0), 2 * (margin(image.shape[1]),))
    )
    assert np.allclose(laplacian_rows(image, unknown, EPSILON).toarray(), expected, atol=1e-5)


def test_blocks_of_pixels_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture()
    unknown = some_unknown(image)
    alpha = to_unit(image[..., 0])
    rows, models = laplacian_rows(image, unknown, EPSILON), affine_models(image, alpha, unknown, EPSILON)
    monkeypatch.setattr(laplacian, "BLOCK_PIXELS", 4)
    assert np.array_equal(laplacian_rows(image, unknown, EPSILON).data, rows.data)
    for found, whole in zip(affine_models(image, alpha, unknown, EPSILON), models, strict=True):
        assert np.array_equal(found, whole)


def test_a_picture_of_one_colour_is_handled() -> None:
    image = np.full((5, 6, 3), 128, np.uint8)
    assert np.isfinite(laplacian_rows(image, np.ones((5, 6), bool), 1e-7).data).all()


def test_alpha_that_is_affine_in_colour_is_explained_by_just_that_function() -> None:
    image = picture()
    slope, offset = np.array([0.3, -0.2, 0.4], np.float32), np.float32(0.25)
    alpha = (image / np.float32(255) @ slope + offset).astype(np.float32)
    unknown = some_unknown(image)
    models, explained = affine_models(image, alpha, unknown, 1e-7)
    assert models.shape == (np.count_nonzero(unknown), 4)
    assert np.allclose(models, [*slope, offset], atol=1e-3)
    assert (explained > 0.97).all()


def test_flat_alpha_is_explained_by_no_colour() -> None:
    image = picture()
    _, explained = affine_models(image, np.full(image.shape[:2], 0.5, np.float32), some_unknown(image), 1e-3)
    assert (explained < 1e-3).all()

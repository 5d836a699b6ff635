"""Alpha by colours: strands are told from the gaps between them, and only where both colours are known nearby."""

import cv2
import numpy as np
import pytest

from cutgate.worker.cutout.matting.colour_line import alpha_by_colours, known_colours
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, Floats, RgbImage
from cutgate.worker.cutout.raster.filters import to_unit
from cutgate.worker.cutout.raster.sampling import Pixels
from tests.worker.cutout.runs import alpha_of

LIGHT, DARK = np.array([225.0, 200.0, 160.0]), np.array([30.0, 34.0, 40.0])


def strands() -> tuple[RgbImage, FloatMask, FloatMask]:
    """Light hair over a dark room; its true alpha, and a mask with a veil over strands and gaps."""
    truth = np.zeros((400, 400), np.uint8)
    truth[:160] = 255
    for x in range(10, 400, 14):
        cv2.line(truth, (x, 150), (x + 8, 178), 255, 4, cv2.LINE_AA)
    share = to_unit(truth)
    noise = np.random.default_rng(0).normal(0, 3, (400, 400, 3))
    photo = share[..., None] * LIGHT + (1 - share[..., None]) * DARK + noise
    mask = np.where(np.arange(400)[:, None] < 160, 1.0, np.where(np.arange(400)[:, None] < 180, 0.5, 0.0))
    blurred = cv2.GaussianBlur(np.broadcast_to(mask, (400, 400)).astype(np.float32), (0, 0), 3)
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8), share, np.asarray(blurred, np.float32)


def everywhere(shape: tuple[int, ...]) -> Pixels:
    return Pixels(shape[0], shape[1], slice(0, shape[0]), np.arange(shape[0] * shape[1]))


def told(photo: RgbImage, alpha: FloatMask) -> tuple[Floats, Floats]:
    by_colours, sure = alpha_by_colours(
        known_colours(photo, alpha), to_unit(photo).reshape(-1, 3), everywhere(alpha.shape)
    )
    return by_colours.reshape(alpha.shape), sure.reshape(alpha.shape)


def test_colours_tell_strands_from_gaps_under_a_veil() -> None:
    photo, truth, mask = strands()
    veil = np.s_[163:177, 20:380]
    by_colours, sure = told(photo, mask)
    off, off_before = (np.average(np.abs(each - truth)[veil], weights=sure[veil]) for each in (by_colours, mask))
    assert off < 0.1 < 0.4 < off_before


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_the_cut_out_has_no_veil_between_strands(mode: str) -> None:
    photo, truth, mask = strands()
    alpha = to_unit(alpha_of(photo, mask, refinement=mode))
    veil = np.s_[163:177, 20:380]
    assert alpha[veil][truth[veil] == 0].mean() < 0.08
    assert alpha[veil][truth[veil] == 1].mean() > 0.75


def test_colours_tell_nothing_far_from_what_is_known_or_without_contrast() -> None:
    photo, _, mask = strands()
    assert not told(photo, np.full_like(mask, 0.5))[1].any()
    assert told(np.full_like(photo, 90), mask)[1].max() < 0.01


def noisy(colours: Floats) -> RgbImage:
    grain = np.random.default_rng(1).normal(0, 6, colours.shape)
    return np.clip(np.rint(colours + grain), 0, 255).astype(np.uint8)


def test_a_hard_edge_before_its_own_colour_stays_the_masks() -> None:
    mask: ByteMask = np.zeros((400, 400), np.uint8)
    cv2.rectangle(mask, (100, 100), (299, 299), 255, -1)
    share = np.asarray(cv2.GaussianBlur(to_unit(mask), (0, 0), 0.9), np.float32)
    photo = noisy(np.full((400, 400, 3), 128, np.float32))
    alpha = to_unit(alpha_of(photo, share))
    assert np.abs(alpha - share).max() <= 0.2  # 0.7 where colours count

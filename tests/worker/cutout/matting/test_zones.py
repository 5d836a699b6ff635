"""Automatic refinement, region by region: where the edge is the mask's, where it is estimated."""

import numpy as np
import pytest

from cutgate.jobs.spec import Thresholds
from cutgate.worker.cutout.matting.zones import zones_of
from cutgate.worker.cutout.pipeline import required
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, RgbImage
from cutgate.worker.cutout.raster.filters import enlarged, to_levels
from tests.pictures.composites import named
from tests.pictures.scores import sad
from tests.worker.cutout.runs import alpha_of, run

USUAL = Thresholds(foreground=240, background=15)
CLIPPED_LEVELS = 13
"""What is cut off from both ends of alpha."""


def half_hard_half_soft() -> ByteMask:
    """A horizontal edge, a step on the left, 24 px wide on the right."""
    rows = np.arange(200)[:, None] - 99.5
    hard, soft = np.clip(rows + 0.5, 0, 1), np.clip(rows / 24 + 0.5, 0, 1)
    columns = np.arange(300)[None]
    return to_levels(np.where(columns < 150, hard, soft).astype(np.float32))


def test_a_hard_edge_stays_the_masks_own_and_only_its_colours_are_cleaned() -> None:
    mug = named("mug")
    mask = mug.coarse_mask(0.3)
    frame = run(mug.photo, mask)
    cutout = required(frame.result)
    alpha = cutout[..., 3]
    assert np.abs(alpha.astype(int) - to_levels(mask)).max() <= CLIPPED_LEVELS
    assert not np.array_equal(cutout[..., :3][alpha > 0], mug.photo[alpha > 0])


@pytest.mark.parametrize("name", ["bear", "portrait"])
def test_a_soft_edge_is_estimated(name: str) -> None:
    mask = named(name).coarse_mask()
    alpha = alpha_of(named(name).photo, mask)
    assert sad(alpha / 255, named(name).alpha) < 0.3 * sad(mask, named(name).alpha)


def test_each_region_decides_for_itself_and_none_has_a_seam() -> None:
    zones = zones_of(half_hard_half_soft(), USUAL, erode_px=15)
    edge = enlarged(zones.blend_weight, *zones.near.shape)[100]
    assert (edge[:120] == 0).all()
    assert (edge[180:] > 0.999).all()
    assert np.abs(np.diff(edge)).max() < 0.1
    assert zones.near[:, 280].sum() > zones.near[:, 20].sum() + 24


def test_frayed_edges_count_as_soft_however_sharp_each_strand_is() -> None:
    strands = np.zeros((200, 200), np.uint8)
    strands[:100] = 255
    plain = zones_of(strands, USUAL, erode_px=15).blend_weight[25, 25]
    strands[100:130, ::4] = 120
    assert zones_of(strands, USUAL, erode_px=15).blend_weight[28, 25] > plain


def wide_blur() -> tuple[RgbImage, FloatMask]:
    """A subject whose edge is far more out of focus than its mask shows."""
    rows = np.arange(160)[:, None] - 79.5
    share = np.broadcast_to(np.clip(rows / 60 + 0.5, 0, 1)[..., None], (160, 60, 1))
    noise = np.random.default_rng(0).normal(0, 1, (160, 60, 3))
    photo = share * [200, 60, 40] + (1 - share) * [30, 90, 160] + noise
    mask = np.broadcast_to(np.clip(rows / 10 + 0.5, 0, 1), (160, 60)).astype(np.float32)
    return np.clip(np.rint(photo), 0, 255).astype(np.uint8), mask


def soft_width_px(alpha: ByteMask) -> float:
    """Pixels of a column that are soft; one counts the more, the nearer it is to one half."""
    share = alpha / 255
    return float((4 * share * (1 - share)).sum() / alpha.shape[1])


@pytest.mark.parametrize("mode", ["auto", "on", "off"])
def test_soft_width_grows_with_erode_size(mode: str) -> None:
    photo, mask = wide_blur()
    widths = [soft_width_px(alpha_of(photo, mask, refinement=mode, erode_px=k)) for k in range(0, 41, 4)]
    # Where the band holds the whole blur, the solver's last digits are all that still changes.
    assert all(width >= 0.99 * max(widths[: k + 1]) for k, width in enumerate(widths))
    assert widths[-1] > 1.5 * widths[0]

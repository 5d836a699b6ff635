"""A second network in the place of closed-form matting: what it is shown, and what is taken from it."""

import numpy as np
import pytest

from cutgate.jobs.spec import Refinement
from cutgate.worker.cutout.matting.second_stage import refine_with
from cutgate.worker.cutout.matting.trimap import BACKGROUND, FOREGROUND, UNKNOWN, Thresholds, make_trimap
from cutgate.worker.cutout.matting.zones import Zones
from cutgate.worker.cutout.raster.arrays import ByteMask, FloatMask, RgbImage
from cutgate.worker.cutout.raster.filters import to_levels, to_unit
from cutgate.worker.cutout.reading import Reading
from tests.pictures.scores import sad
from tests.worker.cutout.runs import alpha_of, bear

SIZE = 300, 400


class Matting:
    """Says of each pixel what its red says, and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[RgbImage, ByteMask]] = []

    def __call__(self, colours: RgbImage, trimap: ByteMask) -> ByteMask:
        self.seen.append((colours, trimap))
        return colours[..., 0].copy()


def picture() -> RgbImage:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def trimap_with_band() -> ByteMask:
    trimap = np.full(SIZE, BACKGROUND, np.uint8)
    trimap[100:140, 200:260] = UNKNOWN
    trimap[110:120, 220:230] = FOREGROUND
    return trimap


def weighing(weight: FloatMask) -> Zones:
    return Zones(np.ones(weight.shape, np.uint8), weight)


def test_the_network_sees_the_bands_box_with_its_surroundings() -> None:
    network, trimap = Matting(), trimap_with_band()
    refine_with(network, picture(), np.zeros(SIZE, np.uint8), trimap)
    ((colours, shown),) = network.seen
    assert np.array_equal(colours, picture()[84:156, 184:276])  # 16 px around 40 x 60
    assert np.array_equal(shown, trimap[84:156, 184:276])
    assert colours.flags.c_contiguous
    assert shown.flags.c_contiguous


def test_what_is_known_stays_and_the_band_is_the_networks() -> None:
    trimap = trimap_with_band()
    alpha = refine_with(Matting(), picture(), np.zeros(SIZE, np.uint8), trimap)
    assert np.array_equal(alpha, np.where(trimap == UNKNOWN, picture()[..., 0], trimap))


def test_without_a_band_the_network_is_not_run() -> None:
    network = Matting()
    trimap = np.where(trimap_with_band() == FOREGROUND, np.uint8(FOREGROUND), np.uint8(BACKGROUND))
    assert np.array_equal(refine_with(network, picture(), trimap, trimap), trimap)
    assert network.seen == []


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_zones_say_how_much_it_counts(weight: float) -> None:
    mask, trimap = np.full(SIZE, 100, np.uint8), trimap_with_band()
    zones = weighing(np.full((30, 40), weight, np.float32))
    alpha = refine_with(Matting(), picture(), mask, trimap, zones)
    expected = np.where(trimap == UNKNOWN, (1 - weight) * mask + weight * picture()[..., 0], trimap)
    assert np.abs(alpha - expected).max() <= 0.51


def test_where_zones_ask_for_nothing_the_network_is_not_run() -> None:
    network, mask, trimap = Matting(), np.full(SIZE, 100, np.uint8), trimap_with_band()
    weight = np.zeros((30, 40), np.float32)
    alpha = refine_with(network, picture(), mask, trimap, weighing(weight))
    assert np.array_equal(alpha, np.where(trimap == UNKNOWN, mask, trimap))
    weight[:5] = 1  # far from the band
    refine_with(network, picture(), mask, trimap, weighing(weight))
    assert network.seen == []


@pytest.mark.parametrize("size_px", [(30, 40), (7, 13), (300, 400)], ids=str)
def test_a_part_of_the_band_is_seen_where_only_that_counts(size_px: tuple[int, int]) -> None:
    network, mask, trimap = Matting(), np.full(SIZE, 100, np.uint8), trimap_with_band()
    weight = np.zeros(size_px, np.float32)
    weight[:, size_px[1] * 5 // 8 :] = 1  # from about the band's last sixth on
    part, whole = (
        refine_with(network, picture(), mask, trimap, weighing(each))
        for each in (weight, np.maximum(weight, 1e-9))
    )
    assert np.array_equal(part, whole)
    assert network.seen[0][0].size < network.seen[1][0].size


def test_alpha_of_another_size_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"alpha is \(7, 7\), the picture is \(72, 92\)"):
        refine_with(lambda *_: np.zeros((7, 7), np.uint8), picture(), np.zeros(SIZE, np.uint8), trimap_with_band())


class TestInThePipeline:
    """The bear with a mask out of focus, and a network that knows the truth and carries it in red."""

    def alpha(self, mode: Refinement, network: Matting) -> ByteMask:
        photo = bear().photo.copy()
        photo[..., 0] = to_levels(bear().alpha.astype(np.float32))
        return alpha_of(photo, bear().coarse_mask(), refinement=mode, reading=Reading(refine=network))

    def test_it_takes_the_place_of_closed_form_matting(self) -> None:
        alpha = self.alpha(Refinement.ON, Matting())
        mask = to_levels(bear().coarse_mask())
        trimap = make_trimap(mask, Thresholds(240, 15), erode_px=15)
        truth = to_levels(bear().alpha.astype(np.float32))
        assert np.array_equal(alpha, np.where(trimap == UNKNOWN, truth, trimap))
        estimated = alpha_of(bear().photo, bear().coarse_mask(), refinement=Refinement.ON)
        assert sad(to_unit(alpha), bear().alpha) < sad(to_unit(estimated), bear().alpha) / 5

    def test_region_by_region_it_counts_where_the_edge_is_soft(self) -> None:
        network = Matting()
        everywhere, mixed = (self.alpha(mode, network) for mode in (Refinement.ON, Refinement.AUTO))
        assert len(network.seen) == 2
        assert sad(to_unit(mixed), bear().alpha) < 3 * sad(to_unit(everywhere), bear().alpha)

    @pytest.mark.parametrize("mode", [Refinement.OFF, Refinement.RAW])
    def test_who_asks_for_no_refinement_gets_none(self, mode: Refinement) -> None:
        network = Matting()
        self.alpha(mode, network)
        assert network.seen == []

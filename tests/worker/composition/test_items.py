"""Items whose spec has a composition: what becomes of them, what is recorded, and that the network runs once."""

import threading
from typing import Any

import numpy as np
import pytest

from cutgate.jobs.composition import Composition, composition_of
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.spec import Box, CutoutSpec, FileFormat, Output, Refinement
from cutgate.worker.cutout.pipeline import Found
from cutgate.worker.pictures.png import write_png
from cutgate.worker.process.kept_masks import KeptMasks
from tests.worker.process.runner_bench import SPEC, Bench, Bytes, bench, bright, picture

__all__ = ["bench"]

MEBIBYTE = 2**20
REFINED = SPEC.model_copy(update={"refinement": Refinement.AUTO, "erode_px": 5})


def asking(spec: CutoutSpec = SPEC, *, least: float | None = None, **options: Any) -> CutoutSpec:
    composition = composition_of(**options) or Composition()
    return spec.model_copy(update={"composition": composition.model_copy(update={"least_subject_share": least})})


def soft_picture() -> bytes:
    """A bright square with a soft edge on a dark ground, large enough to be refined."""
    rows, columns = np.mgrid[:120, :160]
    inside = np.clip(np.minimum(40 - abs(rows - 60), 50 - abs(columns - 80)) / 10, 0, 1)[..., None]
    pixels = inside * (250, 200, 220) + (1 - inside) * (20, 60, 20)
    return write_png(np.dstack([pixels, np.full((120, 160), 255)]).astype(np.uint8))


class Counted:
    """The network, which counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, image: Bytes) -> Bytes:
        self.runs += 1
        return bright(image)


def counting(bench: Bench, max_bytes: int) -> tuple[Bench, Counted]:
    network = Counted()
    return bench.with_runner(predict_for=lambda _: network, masks=KeptMasks(max_bytes)), network


def made(bench: Bench, spec: CutoutSpec, data: bytes) -> bytes:
    uid = bench.submit(data, spec)
    assert bench.run()
    return bench.blobs.get(bench.result(uid).blob)


def test_the_record_says_the_subjects_limits_and_the_full_size(bench: Bench) -> None:
    uid = bench.submit(picture(), asking(megapixels=0.0003, crop_margin="1px"))
    bench.run()
    result = bench.result(uid)
    assert result.foreground == Box(left_px=10, top_px=10, right_px=30, bottom_px=20)
    assert (result.full_width_px, result.full_height_px) == (22, 12)
    assert (result.width_px, result.height_px) == bench.image(uid).size == (12, 7)


def test_without_a_composition_the_record_is_as_ever(bench: Bench) -> None:
    uid = bench.submit(picture())
    bench.run()
    result = bench.result(uid)
    assert (result.foreground, result.full_width_px, result.full_height_px) == (None, None, None)


def test_without_a_subject_there_are_no_limits(bench: Bench) -> None:
    uid = bench.submit(picture((20, 20, 20)), asking(crop_margin=3))
    bench.run()
    result = bench.result(uid)
    assert (result.subject_found, result.foreground, result.width_px) == (False, None, 40)


@pytest.mark.parametrize(("least", "state"), [(0.0005, "failed"), (0.0, "done"), (None, "done")])
def test_less_of_a_subject_than_is_accepted(bench: Bench, least: float | None, state: str) -> None:
    uid = bench.submit(picture((20, 20, 20)), asking(least=least))
    bench.run()
    assert bench.item(uid).state == state
    if state == "failed":
        assert bench.error(uid).kind == "subject_not_found"
        assert not bench.item(uid).booked
        assert bench.roles() == ["source"]


@pytest.mark.parametrize("output", Output)
def test_enough_of_a_subject(bench: Bench, output: Output) -> None:
    spec = asking(SPEC.model_copy(update={"output": output}), least=200 / 1200)
    uid = bench.submit(picture(), spec)
    bench.run()
    assert bench.item(uid).state == "done"
    uid = bench.submit(picture(), asking(spec, least=201 / 1200))
    bench.run()
    assert bench.error(uid).kind == "subject_not_found"


def test_outside_the_region_of_interest_all_is_background(bench: Bench) -> None:
    uid = bench.submit(picture(), asking(region_of_interest="0 0 50% 100%"))
    bench.run()
    alpha = np.asarray(bench.image(uid))[..., 3]
    assert (alpha[10:20, 10:20] == 255).all()
    assert not alpha[:, 20:].any()
    assert bench.result(uid).foreground == Box(left_px=10, top_px=10, right_px=20, bottom_px=20)


@pytest.mark.parametrize(
    ("region", "kind"), [("0 0 41px 30px", "region_outside_picture"), ("0 0 0.1% 100%", "region_empty")]
)
def test_a_region_that_is_none(bench: Bench, region: str, kind: str) -> None:
    uid = bench.submit(picture(), asking(region_of_interest=region))
    bench.run()
    assert bench.error(uid).kind == kind


def test_a_picture_behind_the_subject(bench: Bench) -> None:
    behind = source_key(new_task_uid(), 0)
    bench.blobs.put(behind, write_png(np.full((3, 3, 4), (1, 2, 200, 255), np.uint8)))
    spec = asking(SPEC.model_copy(update={"file_format": FileFormat.AUTO}), scale=0.5)
    composition = spec.composing.model_copy(update={"background_blob": str(behind)})
    uid = bench.submit(picture(), spec.model_copy(update={"composition": composition}))
    bench.run()
    assert bench.result(uid).media_type == "image/jpeg"
    assert np.asarray(bench.image(uid))[0, 0].tolist() == pytest.approx([1, 2, 200], abs=3)


def test_a_shadow_is_part_of_a_zip_and_the_format_is_left_open(bench: Bench) -> None:
    open_format = SPEC.model_copy(update={"file_format": FileFormat.AUTO})
    uid = bench.submit(picture(), asking(open_format, shadow=True))
    bench.run()
    assert bench.result(uid).media_type == "image/png"


SHOWN: list[dict[str, Any]] = [
    {},
    {"crop_margin": "10%", "scale": "50%"},
    {"shadow": "30%", "megapixels": 0.01},
    {"opaque_inside": True},
]


@pytest.mark.parametrize("region", [None, "5% 5% 95% 95%"])
@pytest.mark.parametrize("refinement", [Refinement.AUTO, Refinement.OFF, Refinement.RAW])
def test_the_network_runs_once_and_results_are_the_same_byte_for_byte(
    bench: Bench, refinement: Refinement, region: str | None
) -> None:
    keeping, once = counting(bench, MEBIBYTE)
    forgetting, often = counting(bench, 0)
    base = REFINED.model_copy(update={"refinement": refinement})
    looks: list[dict[str, Any]] = [
        {},
        {"background": (1, 2, 3, 255), "file_format": FileFormat.AUTO},
        {"file_format": FileFormat.ZIP, "quality": 50},
        {"output": Output.MASK},
    ]
    specs = [
        asking(base.model_copy(update=look), region_of_interest=region, **shown)
        for shown in SHOWN
        for look in looks
    ]
    data = soft_picture()
    for spec in specs:
        assert made(keeping, spec, data) == made(forgetting, spec, data)
    assert often.runs == len(specs) * once.runs
    assert once.runs > 0


@pytest.mark.parametrize(
    "other",
    [
        {"foreground_threshold": 200},
        {"erode_px": 9},
        {"refinement": Refinement.OFF},
        {"tidy_mask": True},
        {"box": Box(left_px=9, top_px=9, right_px=90, bottom_px=90)},
    ],
    ids=str,
)
def test_what_changes_the_mask_makes_the_network_run(bench: Bench, other: dict[str, Any]) -> None:
    keeping, network = counting(bench, MEBIBYTE)
    made(keeping, asking(REFINED), soft_picture())
    before = network.runs
    made(keeping, asking(REFINED.model_copy(update=other)), soft_picture())
    assert network.runs > before


def test_another_region_or_picture_makes_the_network_run(bench: Bench) -> None:
    keeping, network = counting(bench, MEBIBYTE)
    runs = []
    for data, region in ((picture(), None), (picture(), "0 0 50% 50%"), (picture((255, 255, 255)), None)):
        made(keeping, asking(region_of_interest=region), data)
        runs.append(network.runs)
    assert runs == sorted(set(runs))


def test_an_item_without_a_composition_keeps_nothing_and_uses_nothing(bench: Bench) -> None:
    keeping, network = counting(bench, MEBIBYTE)
    made(keeping, SPEC, picture())
    once = network.runs
    made(keeping, asking(), picture())
    made(keeping, SPEC, picture())
    assert network.runs == 3 * once


def test_masks_of_an_account_are_for_no_other() -> None:
    masks = KeptMasks(MEBIBYTE)
    ours, theirs = (masks.of(account, b"data", asking(), keeps_16_bit=False) for account in ("ada", "bob"))
    assert ours is not None
    assert theirs is not None
    ours.keep(of_size(9))
    assert ours.recall() is not None
    assert theirs.recall() is None


def of_size(side_px: int) -> Found:
    noise = np.random.default_rng(side_px).integers(0, 256, (side_px, side_px), np.uint8)
    return Found(alpha=noise, refined=True, subject_found=True)


class TestKeptMasks:
    def test_the_one_that_was_used_the_longest_ago_goes(self) -> None:
        masks = KeptMasks(25_000)  # noise does not pack: room for two
        for key in ("a", "b"):
            masks.put(key, of_size(100))
        assert masks.get("a") is not None
        masks.put("c", of_size(100))
        assert [masks.get(key) is not None for key in "abc"] == [True, False, True]

    def test_one_that_is_larger_than_all_may_be_is_not_kept(self) -> None:
        masks = KeptMasks(5_000)
        masks.put("a", of_size(100))
        assert masks.get("a") is None
        masks.put("b", of_size(50))
        assert masks.get("b") is not None

    def test_the_same_twice_counts_once(self) -> None:
        masks = KeptMasks(25_000)
        masks.put("a", of_size(100))
        for _ in range(9):
            masks.put("b", of_size(100))
        assert masks.get("a") is not None

    def test_what_is_kept_is_what_was_found(self) -> None:
        masks, found = KeptMasks(MEBIBYTE), of_size(37)
        masks.put("a", found)
        kept = masks.get("a")
        assert kept is not None
        np.testing.assert_array_equal(kept.alpha, found.alpha)
        assert (kept.refined, kept.subject_found) == (True, True)

    def test_any_threads_may_use_it(self) -> None:
        masks, faults = KeptMasks(25_000), []

        def use(number: int) -> None:
            try:
                for step in range(50):
                    key = str((number + step) % 5)
                    if masks.get(key) is None:
                        masks.put(key, of_size(100))
            except Exception as error:
                faults.append(error)

        threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []

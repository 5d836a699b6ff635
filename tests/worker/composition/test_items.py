"""Items whose spec has a composition: what becomes of them, and what is recorded."""

from typing import Any

import numpy as np
import pytest

from cutgate.jobs.composition import Composition, composition_of
from cutgate.jobs.spec import Box, CutoutSpec, FileFormat, Output
from cutgate.worker.pictures.png import write_png
from tests.worker.process.runner_bench import SPEC, Bench, bench, picture

__all__ = ["bench"]


def asking(spec: CutoutSpec = SPEC, *, least: float | None = None, **options: Any) -> CutoutSpec:
    composition = composition_of(**options) or Composition()
    return spec.model_copy(update={"composition": composition.model_copy(update={"least_subject_share": least})})


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


def test_a_picture_behind_the_subject(bench: Bench) -> None:
    behind = write_png(np.full((3, 3, 4), (1, 2, 200, 255), np.uint8))
    spec = asking(SPEC.model_copy(update={"file_format": FileFormat.AUTO}), scale=0.5)
    uid = bench.submit(picture(), spec, behind)
    bench.run()
    assert bench.result(uid).media_type == "image/jpeg"
    assert np.asarray(bench.image(uid))[0, 0].tolist() == pytest.approx([1, 2, 200], abs=3)


def test_a_shadow_is_part_of_a_zip_and_the_format_is_left_open(bench: Bench) -> None:
    open_format = SPEC.model_copy(update={"file_format": FileFormat.AUTO})
    uid = bench.submit(picture(), asking(open_format, shadow=True))
    bench.run()
    assert bench.result(uid).media_type == "image/png"

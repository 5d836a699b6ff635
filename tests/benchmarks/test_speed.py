import numpy as np
import pytest

from benchmarks.bounds import at_most
from benchmarks.photos import photo
from benchmarks.speed import jobs
from benchmarks.speed.engines import EXACT_HERE
from benchmarks.speed.refinement import Replayed, least_costs
from benchmarks.speed.rows import ratio
from benchmarks.speed.timing import Sample, Timings, in_turn
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.pipeline import Frame, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.settings import NetworkSettings

MIB = 2**20


def test_calls_take_turns_after_one_that_is_not_measured() -> None:
    called: list[str] = []
    timings = in_turn({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 2)
    assert called == ["a", "b"] * 3
    assert {name: len(samples) for name, samples in timings.samples.items()} == {"a": 2, "b": 2}


def test_a_busy_round_leaves_the_ratio_as_it_is() -> None:
    # The second round is four times slower for both; the third has one outlier.
    above = [Sample(2.0, 3.0), Sample(8.0, 3.5), Sample(40.0, 9.0)]
    below = [Sample(1.0, 2.0), Sample(4.0, 1.5), Sample(1.0, 2.0)]
    timings = Timings({"above": above, "below": below})
    assert timings.ratio("above", "below") == 2.0
    row = ratio("pair", timings, "above", "below", at_most(1.5))
    assert row.cells == ("pair", "≤ 1.50", "2.00", "falls short", "2.00 / 1.00", "3.00 / 1.50")


def test_jobs_are_measured_beside_the_network(
    tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model", "models_dir", "cache_dir"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))
    monkeypatch.setattr(jobs, "MEGAPIXELS", (1,))
    monkeypatch.setattr(jobs, "photo", lambda _: photo(0.1))
    rows = jobs.measure(EXACT_HERE, {jobs.JOB}, rounds=1)[jobs.JOB]
    assert [row.measured.partition(": ")[2] for row in rows] == ["HairOptimization off", "HairOptimization auto"]
    assert all(float(row.reached) > 1 for row in rows), "a tiny network takes less than the job around it"


def test_the_pipeline_runs_step_by_step_on_answers_that_were_kept() -> None:
    runs = 0

    def predict(image: RgbImage) -> ByteMask:
        nonlocal runs
        runs += 1
        return np.where(image[..., 0] < 128, 255, 0).astype(np.uint8)

    picture = np.full((40, 50, 3), 200, np.uint8)
    picture[10:30, 10:40] = 20
    replayed = Replayed(predict)
    steps = steps_for(CutoutSpec(model="any"), replayed)
    costs = least_costs(steps, Frame(picture=picture), replayed.rewind, rounds=3)
    first_runs = runs
    least_costs(steps, Frame(picture=picture), replayed.rewind, rounds=1)
    assert runs == first_runs > 0
    assert {"find_subject", "clean_colours"} <= set(costs)
    assert all(0 <= seconds < 10 for seconds in costs.values())

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from benchmarks import Absent
from benchmarks.bounds import at_least, at_most
from benchmarks.photos import photo
from benchmarks.speed import jobs, service
from benchmarks.speed.__main__ import TITLES, apart, environment, parsed
from benchmarks.speed.engines import CHOICES, EXACT_HERE, OVER_MATTING, OVER_PLAIN
from benchmarks.speed.memory import CYCLE, WARM_JOBS, large_row, levels
from benchmarks.speed.refinement import Replayed, least_costs
from benchmarks.speed.rows import as_table, figure, lacking, ratio
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


def test_rows_without_a_goal_or_a_figure_have_no_verdict() -> None:
    assert figure("x", 1.5, None, ".1f", " s").cells == ("x", "–", "1.5 s", "–", "–", "–")
    assert figure("x", 1.5, at_least(1), ".1f").cells[:4] == ("x", "≥ 1.0", "1.5", "pass")
    row = lacking("openvino exact", ValueError("no such\nengine"))
    assert (row.reached, row.met) == ("not run: no such engine", None)
    assert as_table([row]).splitlines()[2].startswith("| openvino exact |")


def test_every_choice_has_goals_for_the_sizes_that_are_measured() -> None:
    assert all(set(OVER_PLAIN[choice]) == set(jobs.MEGAPIXELS) for choice in CHOICES)
    assert all(set(OVER_MATTING[choice]) == set(jobs.MATTING_MEGAPIXELS) for choice in CHOICES)


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


def test_level_memory_passes_and_growing_memory_does_not() -> None:
    level = [100 * MIB] * 300
    growing = [(100 + job) * MIB for job in range(300)]
    assert [row.met for row in levels(level, at_most(1.05))] == [None, None, True]
    assert [row.met for row in levels(growing, at_most(1.05))] == [None, None, False]
    assert len(levels(level[: WARM_JOBS + CYCLE - 1], at_most(1.05))) == 1
    assert large_row(3 * 2**30, 2**30).cells[1:4] == ("≤ 1.50 GiB", "2.00 GiB", "falls short")


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


def test_all_clients_ask_at_once() -> None:
    together = threading.Barrier(service.CLIENTS, timeout=10)
    seen: list[bytes] = []

    def remove(data: bytes, matting: bool) -> None:
        together.wait()
        seen.append(data[-8:])
        assert matting

    assert service.pictures_per_second(remove, matting=True) > 0
    assert len(set(seen)) == len(seen) == service.CLIENTS * service.JOBS_EACH[True]


@pytest.mark.parametrize(
    ("script", "said"), [("exit 1", "it said nothing"), ("echo no uvicorn >&2; exit 1", "no uvicorn")]
)
def test_a_peer_that_does_not_start_says_why(
    script: str, said: str, tmp_path: Path, weights_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTGATE_MODELS_DIR", str(weights_dir))
    command = tmp_path / "rembg"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(0o755)
    with pytest.raises(Absent, match=said), service.rembg_server(str(command), tmp_path / "log"):
        pass


def test_each_part_runs_in_a_process_of_its_own() -> None:
    with environment({"CUTGATE_ENGINE": "openvino"}):
        assert apart(os.getenv, "CUTGATE_ENGINE") == "openvino"
    assert "CUTGATE_ENGINE" not in os.environ
    with pytest.raises(ValueError, match="invalid literal"):
        apart(int, "no number")


def test_sections_can_be_chosen() -> None:
    assert parsed([]).only == list(TITLES)
    assert parsed(["--only", "job", "memory", "--rounds", "2"]).only == ["job", "memory"]
    for refused in (["--only", "nothing"], ["--rounds", "0"], ["--jobs", "-1"]):
        with pytest.raises(SystemExit):
            parsed(refused)

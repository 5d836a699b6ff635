import re
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import Absent
from benchmarks.bounds import at_most
from benchmarks.photos import HAIR, PORTRAIT, Photo, photos
from benchmarks.speed import demo, jobs, overhead, throughput
from benchmarks.speed.__main__ import main
from benchmarks.speed.engines import EXACT_HERE
from benchmarks.speed.probe import Replayed
from benchmarks.speed.rows import beside_before, ratio
from benchmarks.speed.timing import Sample, Timings, in_turn
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import tiny_environment

SMALL = Photo("part", 0.1, PORTRAIT)


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


def test_a_figure_stands_beside_what_it_was_before() -> None:
    row = beside_before("job", [[50.0, 100.0], [40.0, 90.0], [90.0, 100.0]], at_most(45), ".0f", " ms")
    assert row.cells == ("job", "≤ 45 ms", "40 ms", "pass", "90 ms", "0.50")
    assert beside_before("job", [[50.0], [40.0]], None, ".0f", " ms").cells == ("job", "–", "40 ms", "–", "–", "–")


def test_jobs_are_measured_beside_the_network(
    tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model", "models_dir", "cache_dir"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))
    rows = jobs.measure(EXACT_HERE, {jobs.JOB}, [SMALL], rounds=1)[jobs.JOB]
    assert [row.measured.partition(": ")[2] for row in rows] == ["HairOptimization off", "HairOptimization auto"]
    assert all(float(row.reached) > 0 and row.goal == "–" for row in rows), "goals are of other sizes"


def test_a_job_is_measured_step_by_step_in_two_trees(
    tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model", "models_dir", "cache_dir"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))
    monkeypatch.setattr(overhead, "python_of", lambda _: sys.executable)
    monkeypatch.setattr(overhead, "LEAST_MS", 0)
    rows, steps = overhead.measure([SMALL], 1, before=overhead.ROOT)
    assert [row.measured for row in rows] == [f"0.1 MP part: HairOptimization {how}" for how in ("auto", "off")]
    assert all(re.fullmatch(r"\d+ ms", cell) for row in rows for cell in (row.reached, row.details[0]))
    heads, _, auto, off = ([cell.strip() for cell in line.split("|")[2:-1]] for line in steps.splitlines())
    assert heads[0] == "decode"
    assert {"find_subject", "estimate_alpha", "clean_colours", "encode"} <= set(heads)
    assert all(re.fullmatch(r"\d+\.\d \(\d+\.\d\)", cell) for cell in auto + off)


def test_a_tree_without_an_environment_of_its_own_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--only", "overhead", "--before", str(tmp_path)]) == 2
    assert str(tmp_path / ".venv") in capsys.readouterr().err


@pytest.mark.parametrize("program", ["raise SystemExit", "input(); raise SystemExit", "print('?')"])
def test_a_probe_that_fails_ends_the_measurement(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(program, encoding="utf-8")
    monkeypatch.setattr(overhead, "PROBE", probe)
    with pytest.raises(Absent, match="cannot be measured"):
        overhead.measure([SMALL], 1, None)


def test_an_engine_answers_each_photo_once_and_then_from_memory() -> None:
    class Engine:
        provider = "counted"
        runs = 0

        def run(self, batch: int) -> NDArray[np.int64]:
            self.runs += 1
            return np.array([batch])

    engine = Engine()
    replayed = Replayed(engine)
    for photo_name, batches in (("a", (1, 2)), ("b", (3,))):
        replayed.begin(photo_name)
        for batch in batches:
            replayed.run(batch)[:] = 0  # what a reader writes over is not what the next one gets
    for photo_name, answers in (("a", [1, 2]), ("b", [3])):
        replayed.begin(photo_name)
        assert [replayed.run(0)[0] for _ in answers] == answers
    assert engine.runs == 3
    assert replayed.provider == "counted"


def test_each_size_has_a_portrait_and_hair_whose_detail_is_its_own(tmp_path: Path) -> None:
    for name in set(HAIR.values()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [each.name for each in photos(tmp_path)] == [
        f"{size} MP {subject}"
        for size, hair in ((1, "curls"), (4, "panda"), (12, "panda"))
        for subject in ("portrait", hair)
    ]
    without = photos(tmp_path / "absent")
    assert {each.subject for each in without} == {"portrait", "cat"}
    assert all(each.file.is_file() for each in without)


@pytest.mark.long
def test_the_demo_is_timed_until_its_first_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    rows = demo.measure(1, None)
    assert [row.measured.partition(":")[0] for row in rows] == ["cold", "warm"] * 2
    seconds = [float(row.reached.removesuffix(" s")) for row in rows]
    assert seconds[2] > seconds[0] >= 0, "the start of the service comes before the first submit"


@pytest.mark.long
def test_a_queue_goes_through_one_worker_with_one_and_with_two_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(throughput, "QUEUES", {0.1: 3})
    [row] = throughput.measure(1)
    assert row.measured == "0.1 MP, two at once over one"
    assert float(row.reached) > 0

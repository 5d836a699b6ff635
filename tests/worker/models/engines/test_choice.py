"""The engine that `auto` means: tried on the prepared graph, remembered, and never one that is not exact."""

import importlib.metadata
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from cutgate.files import try_lock
from cutgate.scratch import PREFIX
from cutgate.worker.machine.cpu import this_processor
from cutgate.worker.models.engines import choice, trial
from cutgate.worker.models.engines.choice import (
    MOST_LEVELS,
    Choice,
    candidates,
    inexact,
    is_untried,
    remembered,
    sample_picture,
    told,
    try_engines,
)
from cutgate.worker.models.engines.plans import Plan, plan_for
from cutgate.worker.models.engines.prepared import Prepared
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.engines.trial import run_apart
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.inventory import known_model
from cutgate.worker.settings import Device, EngineName, NetworkSettings
from tests.pictures.tiny_network import SIDE_PX, network, tiny_network, write_tiny_model

ROOT = Path(__file__).parents[4]
ENOUGH_SECONDS = 200
"""Of processor time, for two engines that need a few."""


class Bench:
    """A prepared graph in a folder of its own."""

    def __init__(self, settings: NetworkSettings, graph: Any) -> None:
        self.settings = settings
        write_tiny_model(settings.models_dir, "tried")
        onnx.save(graph, settings.models_dir / "tried.onnx")
        weights = find_weights(known_model("tried", settings.models_dir), settings.models_dir)
        self.row = weights.row
        self.graph = prepared_graph(weights, settings.cache_dir, GraphVariant.SINGLE)

    @property
    def plan(self) -> Plan:
        return plan_for(self.settings)

    @property
    def taken(self) -> Plan:
        return remembered(self.plan, self.settings, self.graph)

    @property
    def files(self) -> list[Path]:
        return sorted(self.settings.cache_dir.glob("engine-*"))

    def network(self, **changed: object) -> Prepared:
        settings = self.settings.model_copy(update=changed)
        return Prepared(name="tried", settings=settings, plan=self.plan, graph=self.graph, row=self.row)

    def try_engines(self) -> Choice:
        tried = try_engines(self.network())
        assert tried is not None
        return tried

    def recall(self, *attempts: dict[str, Any]) -> None:
        """Have these attempts remembered, whatever the engines do."""
        facts = choice._facts(self.plan, this_processor(), self.graph)
        kept = {"facts": facts.model_dump(), "attempts": attempts}
        choice._path(self.graph, facts).write_text(json.dumps(kept), encoding="utf-8")

    def kept(self) -> Any:
        (file,) = self.files
        return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture
def settings(tiny_settings: NetworkSettings) -> NetworkSettings:
    return tiny_settings.model_copy(
        update={"engine": EngineName.AUTO, "engine_trial_seconds": float(ENOUGH_SECONDS)}
    )


@pytest.fixture
def bench(settings: NetworkSettings) -> Bench:
    return Bench(settings, tiny_network())


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that were tried, each by the real program."""
    tried: list[Plan] = []

    def run(graph: Path, plan: Plan, *others: Any) -> Any:
        tried.append(plan)
        return run_apart(graph, plan, *others)

    monkeypatch.setattr(choice, "run_apart", run)
    return tried


def attempt(engine: EngineName, seconds: float | None, refused: str = "", floats: str = "fp32") -> dict[str, Any]:
    return {"engine": engine, "floats": floats, "seconds": seconds, "refused": refused}


def test_two_engines_are_tried_and_the_fastest_is_remembered(bench: Bench, tries: list[Plan]) -> None:
    assert is_untried(bench.network())
    found = bench.try_engines()
    expected = candidates(bench.plan, this_processor())
    assert tuple(tries) == expected
    assert expected[0] == bench.plan
    assert {plan.engine for plan in expected} == {EngineName.ONNXRUNTIME, EngineName.OPENVINO}
    kept = bench.kept()
    fastest = min(kept["attempts"], key=lambda each: each["seconds"])
    assert [each["refused"] for each in kept["attempts"]] == ["", ""]
    assert (bench.taken.engine, bench.taken.floats, bench.taken.dtype) == (
        fastest["engine"],
        fastest["floats"],
        fastest["floats"],
    )
    said = told(bench.network(), found)
    assert said.startswith(f"engine: {fastest['engine']} {fastest['floats']} {fastest['seconds']:.2f} s of ")
    assert said.endswith(f"; remembered in {bench.files[0]}; {choice._REMEDY}")
    assert not is_untried(bench.network())
    bench.files[0].write_bytes(b"{")
    assert is_untried(bench.network())


def test_what_is_remembered_is_what_a_worker_runs(bench: Bench, settings: NetworkSettings) -> None:
    tried = settings.model_copy(update={"model": "tried"})
    before = load_segmenter(tried).engine
    other = EngineName.OPENVINO if before.startswith("onnx") else EngineName.ONNXRUNTIME
    bench.recall(attempt(other, 0.1))
    segmenter = load_segmenter(tried)
    assert segmenter.engine.startswith(f"{other} ")
    assert segmenter.dtype == "fp32"


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_a_new_version_is_tried_anew(bench: Bench, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.recall(attempt(EngineName.OPENVINO, 0.1))
    assert bench.taken.engine is EngineName.OPENVINO
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if name == library else version(name))
    assert bench.taken == bench.plan
    assert is_untried(bench.network())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Another Processor"},
        {"features": frozenset({"avx2"})},
    ],
    ids=["name", "features"],
)
def test_another_processor_is_tried_anew(
    bench: Bench, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.recall(attempt(EngineName.OPENVINO, 0.1))
    processor = replace(this_processor(), **change)
    monkeypatch.setattr(choice, "this_processor", lambda: processor)
    assert bench.taken == bench.plan


def test_other_threads_or_another_graph_are_tried_anew(bench: Bench, settings: NetworkSettings) -> None:
    bench.recall(attempt(EngineName.OPENVINO, 0.1))
    more = settings.model_copy(update={"threads": 2})
    assert remembered(plan_for(more), more, bench.graph) == plan_for(more)
    other = bench.graph.with_name("other.onnx")
    assert remembered(bench.plan, settings, other) == bench.plan


@pytest.mark.parametrize(
    "changed",
    [
        {"engine": EngineName.ONNXRUNTIME},
        {"engine": EngineName.OPENVINO},
        {"precision": "fast"},
        {"device": Device.GPU},
        {"engine_trial_seconds": 0.0},
    ],
    ids=str,
)
def test_a_setting_decides_otherwise(bench: Bench, changed: dict[str, Any]) -> None:
    assert not is_untried(bench.network(**changed))


def test_a_named_engine_is_taken_whatever_is_remembered(bench: Bench, settings: NetworkSettings) -> None:
    bench.recall(attempt(EngineName.OPENVINO, 0.1))
    named = settings.model_copy(update={"engine": EngineName.ONNXRUNTIME})
    assert remembered(plan_for(named), named, bench.graph).engine is EngineName.ONNXRUNTIME


DAMAGES: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "half": lambda text: text[: len(text) // 2],
    "of another machine": lambda text: text.replace('"threads": 1', '"threads": 7'),
    "of another kind": lambda _: '{"engine": "openvino"}',
    "no such engine": lambda text: text.replace('"openvino",', '"tensorrt",'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_or_foreign_does_not_count(bench: Bench, damage: str) -> None:
    bench.recall(attempt(EngineName.OPENVINO, 0.1))
    (file,) = bench.files
    whole = file.read_text(encoding="utf-8")
    broken = DAMAGES[damage](whole)
    assert broken != whole
    file.write_text(broken, encoding="utf-8")
    assert bench.taken == bench.plan
    assert is_untried(bench.network())


@pytest.mark.parametrize("way", [("openvino", "fp16"), ("auto", "fp32"), ("onnxruntime", "bf16")], ids=str)
def test_a_file_cannot_name_what_is_no_candidate(bench: Bench, way: tuple[str, str]) -> None:
    bench.recall(attempt(EngineName(way[0]), 0.1, floats=way[1]))
    assert bench.taken == bench.plan


def test_the_fastest_is_refused_where_it_is_not_exact(bench: Bench) -> None:
    fast_and_wrong = attempt(EngineName.OPENVINO, 0.1, "not exact: 9.0 levels of 255 off on average, 99 at most")
    bench.recall(fast_and_wrong, attempt(EngineName.ONNXRUNTIME, 0.9))
    assert bench.taken.engine is EngineName.ONNXRUNTIME
    known = choice.known_choice(bench.network())
    assert known is not None
    assert str(known).startswith(
        "onnxruntime fp32 0.90 s of processor time a picture; openvino fp32 0.10 s (not exact: 9.0 levels"
    )


STEEP = network(
    f"""
    steep (float[1, 3, {SIDE_PX}, {SIDE_PX}] input) => (float[1, 1, {SIDE_PX}, {SIDE_PX}] mask)
    <float[1, 3, 1, 1] weight = {{-900.0, -900.0, -900.0}}, float[1] bias = {{1350.0}}> {{
        odds = Conv (input, weight, bias)
        mask = Sigmoid (odds)
    }}
    """
)
"""A network whose map turns over within less than what bfloat16 tells apart."""


@pytest.mark.needs("bf16")
def test_a_network_that_bfloat16_is_too_coarse_for_is_not_computed_in_it(settings: NetworkSettings) -> None:
    bench = Bench(settings, STEEP)
    assert bench.plan.floats == "bf16", "what the features alone would take"
    bench.try_engines()
    (coarse,) = (each for each in bench.kept()["attempts"] if each["floats"] == "bf16")
    assert coarse["refused"].startswith("not exact: ")
    assert bench.taken.floats == "fp32"
    assert {each["refused"] for each in bench.kept()["attempts"] if each["floats"] == "fp32"} == {""}


def test_what_counts_as_exact() -> None:
    reference = np.full((10, 10), 100, np.uint8)
    one = reference.copy()
    one[3, 3] += MOST_LEVELS
    assert inexact(one, reference) == ""
    one[3, 3] += 1
    assert inexact(one, reference) == "not exact: 0.1 levels of 255 off on average, 13 at most"
    assert inexact(one[::-1], one) != ""
    assert inexact(reference - 1, reference) == "not exact: 1.0 levels of 255 off on average, 1 at most"
    assert inexact(reference, None) == "nothing to compare it with"


@pytest.mark.long
def test_the_sample_tells_eight_bits_from_exact_numbers(weights_dir: Path) -> None:
    """The default network finds a subject in it, and 8-bit integers, which are not exact, show."""
    sample = sample_picture(1024, 1024)
    masks = {}
    for precision in ("exact", "fast"):
        settings = NetworkSettings.model_validate(
            {"engine": "onnxruntime", "models_dir": weights_dir, "precision": precision, "threads": 2}
        )
        masks[precision] = load_segmenter(settings)(sample)
    assert 0.2 < (masks["exact"] > 127).mean() < 0.5
    assert masks["exact"][512, 512] > 200
    assert masks["exact"][10, 10] < 20
    assert inexact(masks["fast"], masks["exact"]).startswith("not exact: ")


def test_one_trial_at_a_time(bench: Bench, tries: list[Plan]) -> None:
    lock = os.open(bench.graph.parent, os.O_RDONLY)
    try:
        assert try_lock(lock)
        assert try_engines(bench.network()) is None
    finally:
        os.close(lock)
    assert (tries, bench.files) == ([], [])


def test_what_takes_too_much_processor_time_is_left_to_the_features(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second is not enough to load an engine's library and to run the network without end."""
    monkeypatch.setattr(trial, "_MODULE", f"{__name__.rpartition('.')[0]}.endless_trial")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = try_engines(bench.network(engine_trial_seconds=2))
    assert found is not None
    assert [each.refused for each in found.attempts] == ["more than 1 s of processor time"] * 2
    assert bench.taken == bench.plan
    assert not is_untried(bench.network()), "it would take as long again"
    assert f"engine: {bench.plan.engine} {bench.plan.floats} by the processor's features: " in told(
        bench.network(), found
    )


def test_an_engine_that_fails_is_named_with_its_reason(bench: Bench) -> None:
    bench.graph.write_bytes(b"damaged")
    said = str(bench.try_engines())
    assert f"(onnxruntime cannot load {bench.graph}" in said
    assert f"(openvino cannot load {bench.graph}" in said
    assert bench.taken == bench.plan


def test_no_scratch_is_left_beside_the_choice(bench: Bench) -> None:
    bench.try_engines()
    assert not [*bench.settings.cache_dir.glob(f"{PREFIX}*")]

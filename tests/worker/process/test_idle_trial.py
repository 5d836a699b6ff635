"""The trial of engines of an idle worker: begun after a while, ended by work, made once."""

import os
from pathlib import Path
from typing import Any

import pytest

from cutgate.worker.models.engines.choice import is_untried, known_choice
from cutgate.worker.models.engines.prepared import prepared_networks
from cutgate.worker.models.graphs.cache import GraphVariant, prepared_graph
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.inventory import known_model
from cutgate.worker.process.idle_trial import IDLE_SECONDS, IdleTrial
from cutgate.worker.settings import NetworkSettings
from tests.waiting import eventually


class Stage:
    """A trial whose clock and work are the test's, beside a prepared network."""

    def __init__(self, settings: NetworkSettings) -> None:
        self.settings = settings
        self.now_seconds, self.busy = 0.0, False
        self.trial = IdleTrial(settings, lambda: self.busy, lambda: self.now_seconds)

    def idle(self, seconds: float = IDLE_SECONDS) -> None:
        self.now_seconds += seconds
        self.trial.look()

    def pid(self) -> int | None:
        process = self.trial._process
        return None if process is None else process.pid

    def end(self) -> None:
        def has_ended() -> bool:
            self.trial.look()
            return self.pid() is None

        eventually(has_ended, 300)


@pytest.fixture
def settings(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> NetworkSettings:
    monkeypatch.setenv("CUTGATE_ENGINE", "auto")
    monkeypatch.setenv("CUTGATE_ENGINE_TRIAL_SECONDS", "200")
    folders = {"models_dir": tiny_settings.models_dir, "cache_dir": tiny_settings.cache_dir}
    settings = NetworkSettings.model_validate({**folders, "model": "tiny", "threads": 1})
    monkeypatch.setenv("CUTGATE_MODELS_DIR", str(settings.models_dir))
    monkeypatch.setenv("CUTGATE_CACHE_DIR", str(settings.cache_dir))
    monkeypatch.setenv("CUTGATE_THREADS", "1")
    weights = find_weights(known_model("tiny", settings.models_dir), settings.models_dir)
    prepared_graph(weights, settings.cache_dir, GraphVariant.SINGLE)
    return settings


def test_an_idle_worker_tries_the_engines_once(settings: NetworkSettings) -> None:
    stage = Stage(settings)
    with stage.trial:
        stage.idle(IDLE_SECONDS / 2)
        assert stage.pid() is None
        stage.idle(IDLE_SECONDS / 2)
        pid = stage.pid()
        assert pid is not None
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        stage.end()
        (network,) = prepared_networks(settings)
        known = known_choice(network)
        assert known is not None
        assert known.best is not None
        stage.idle()
        assert stage.pid() is None
    again = Stage(settings)
    again.idle()
    assert again.pid() is None, "the next start knows already"


def test_work_puts_the_trial_off(settings: NetworkSettings) -> None:
    stage = Stage(settings)
    with stage.trial:
        stage.idle()
        first = stage.pid()
        assert first is not None
        stage.busy = True
        stage.idle()
        assert stage.pid() is None
        assert not Path(f"/proc/{first}").exists()
        stage.busy = False
        stage.idle(IDLE_SECONDS / 2)
        assert stage.pid() is None, "the worker was busy a moment ago"
        stage.idle(IDLE_SECONDS / 2)
        assert stage.pid() not in {None, first}
    assert stage.pid() is None, "it ends with the worker"


@pytest.mark.parametrize(
    "changed",
    [{"engine_trial_seconds": 0.0}, {"engine": "onnxruntime"}, {"precision": "fast"}, {"model": "absent"}],
    ids=str,
)
def test_where_there_is_nothing_to_try_no_process_is_started(
    settings: NetworkSettings, changed: dict[str, Any]
) -> None:
    stage = Stage(NetworkSettings.model_validate(settings.model_dump() | changed))
    stage.idle()
    assert stage.pid() is None


def test_what_a_worker_offers_is_what_is_tried(settings: NetworkSettings) -> None:
    (network,) = prepared_networks(settings)
    assert (network.name, is_untried(network)) == ("tiny", True)

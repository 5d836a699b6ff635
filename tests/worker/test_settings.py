"""The worker's settings: folders, threads, what a GPU or a container changes, problems named at once."""

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from cutgate.jobs.spec import PRESETS, ModelChoice, Precision
from cutgate.worker.settings import Device, NetworkSettings, WorkerSettings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELS_DIR", "CACHE_DIR", "DEVICE", "THREADS", "MODEL", "PRECISION"):
        monkeypatch.delenv(f"CUTGATE_{name}", raising=False)


def test_folders_follow_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = NetworkSettings()
    assert settings.models_dir == tmp_path / "cutgate/models"
    assert settings.cache_dir == tmp_path / "cutgate/graphs"


@pytest.mark.parametrize("value", [None, "", "relative/cache"])
def test_models_may_lie_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert NetworkSettings().models_dir == tmp_path / ".cache/cutgate/models"


def test_a_worker_asks_for_no_master_key_and_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("CUTGATE_MASTER_KEY", key)
    settings = WorkerSettings()
    assert "master_key" not in WorkerSettings.model_fields
    assert key not in str(settings.model_dump())


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_DEVICE", "abacus")
    monkeypatch.setenv("CUTGATE_THREADS", "0")
    with pytest.raises(ValidationError) as caught:
        WorkerSettings()
    assert {problem["loc"][0] for problem in caught.value.errors()} == {"device", "threads"}


def test_a_gpu_works_on_several_pictures_and_a_cpu_on_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutgate.worker.settings.cpu_quota", lambda: 8)
    cpu, gpu = WorkerSettings(), WorkerSettings(device=Device.GPU)
    assert (cpu.item_count(), gpu.item_count()) == (2, 9)
    assert WorkerSettings(threads=1).item_count() == 1
    assert WorkerSettings(device=Device.GPU, items_at_once=5).item_count() == 5


def test_pixels_at_once_are_bounded_on_a_cpu() -> None:
    assert WorkerSettings(max_source_pixels=10**6).pixel_count() == 17_000_000
    assert WorkerSettings(pixels_at_once=5).pixel_count() == 5
    assert WorkerSettings(device=Device.GPU).pixel_count() is None
    assert WorkerSettings(device=Device.GPU, pixels_at_once=5).pixel_count() == 5


def test_a_worker_takes_three_quarters_of_the_container_but_two_gibibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, allowed in ((2**30, 2 * 2**30), (8 * 2**30, 6 * 2**30)):
        monkeypatch.setattr("cutgate.worker.settings.memory_limit_bytes", lambda size=available: size)
        assert WorkerSettings().worker_byte_limit() == allowed
    assert WorkerSettings(max_worker_bytes=10**9).worker_byte_limit() == 10**9


class TestWhatAWorkerOffers:
    def test_one_model_unless_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert NetworkSettings().choices == (PRESETS["exact"],)
        monkeypatch.setenv("CUTGATE_MODEL", "u2netp")
        assert NetworkSettings().choices == (ModelChoice(model="u2netp"),)

    def test_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUTGATE_WORKER_MODELS", "best, fast,u2netp,birefnet-general")
        settings = NetworkSettings()
        assert settings.choices == (PRESETS["best"], PRESETS["fast"], ModelChoice(model="u2netp"))
        alone = settings.for_choice(PRESETS["fast"])
        assert (alone.model, alone.precision) == ("isnet-general-use", Precision.FAST)
        assert alone.choices == (PRESETS["fast"],)

    @pytest.mark.parametrize("text", ["best;fast", "u2netp:slow", "../u2netp"])
    def test_what_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("CUTGATE_WORKER_MODELS", text)
        with pytest.raises(ValidationError, match="must be a preset"):
            NetworkSettings()

"""Networks on an inference server: the same masks, what is refused, and what happens while the server is away."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError

from cutgate.jobs.errors import InferenceUnavailable
from cutgate.worker.__main__ import main
from cutgate.worker.models.engine import until
from cutgate.worker.models.engines import remote_engine
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.inference import InferenceServer, inference_server
from tests.servers.ports import free_port
from tests.worker.models.engines.test_runtime import changed

KINDS = ["probability", "logit", "range"]
TOKEN = "not-for-logs"


def noise(height_px: int = 90, width_px: int = 130) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (height_px, width_px, 3), np.uint8)


def export(settings: NetworkSettings, folder: Path, *options: str) -> None:
    variables = {f"CUTGATE_{name.upper()}": str(getattr(settings, name)) for name in ("models_dir", "cache_dir")}
    command = ["models", "export", settings.model, "--v2", str(folder), *options]
    done = CliRunner().invoke(main, command, env=variables)
    assert done.exit_code == 0, done.output


@contextmanager
def served(settings: NetworkSettings, folder: Path, *options: str, token: str = "") -> Iterator[InferenceServer]:
    for kind in KINDS:
        row: dict[str, Any] = {"mean": [0.4, 0.5, 0.6], "std": [0.9, 0.7, 0.3], "thresholds": [200, 60]}
        write_tiny_model(settings.models_dir, kind, output=kind, **row)
        export(changed(settings, model=kind), folder)
    with inference_server(folder, *options, token=token) as server:
        yield server


def remote(settings: NetworkSettings, server: InferenceServer, **values: object) -> NetworkSettings:
    return changed(settings, engine=EngineName.REMOTE, inference_url=server.url, **values)


@pytest.mark.long
def test_masks_are_a_local_engines_byte_for_byte(tiny_settings: NetworkSettings, tmp_path: Path) -> None:
    with served(tiny_settings, tmp_path / "repository", token=TOKEN) as server:
        settings = remote(tiny_settings, server, inference_token=SecretStr(TOKEN))
        for kind in KINDS:
            local = load_segmenter(changed(tiny_settings, model=kind))
            there = load_segmenter(changed(settings, model=kind))
            assert there.engine.startswith("kserve ")
            for image in (noise(), noise(64, 64), np.zeros((7, 9, 3), np.uint8)):
                assert np.array_equal(local(image), there(image))
        with pytest.raises(ModelUnavailable, match="CUTGATE_INFERENCE_TOKEN") as refused:
            load_segmenter(changed(settings, model="logit", inference_token=SecretStr("wrong-token")))
        assert "wrong-token" not in str(refused.value)


@pytest.mark.long
def test_a_server_that_is_busy_or_gone_is_no_fault_of_the_picture(
    tiny_settings: NetworkSettings, tmp_path: Path
) -> None:
    with served(tiny_settings, tmp_path / "repository") as server:
        segmenter = load_segmenter(remote(tiny_settings, server, model="probability"))
        assert segmenter.check is not None
        server.busy.touch()
        with pytest.raises(InferenceUnavailable, match="503"):
            segmenter(noise())
        with pytest.raises(InferenceUnavailable, match="in a moment"):
            segmenter.check()
        server.busy.unlink()
        expected = segmenter(noise())
        with until(lambda: 0.0), pytest.raises(InferenceUnavailable, match=r"Timeout|too slowly"):
            segmenter(noise())
        server.stop()
        with pytest.raises(InferenceUnavailable, match="does not answer"):
            segmenter(noise())
        server.start()
        assert np.array_equal(segmenter(noise()), expected)


@pytest.mark.long
@pytest.mark.constants(remote_engine, CHECK_SECONDS=0.2)
def test_a_check_of_a_server_that_hangs_ends_long_before_a_run_would(
    tiny_settings: NetworkSettings, tmp_path: Path
) -> None:
    with served(tiny_settings, tmp_path / "repository") as server:
        segmenter = load_segmenter(remote(tiny_settings, server, model="probability"))
        assert segmenter.check is not None
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        began_seconds = time.monotonic()
        with pytest.raises(InferenceUnavailable, match="does not answer: ReadTimeout"):
            segmenter.check()
        assert time.monotonic() - began_seconds < remote_engine.MOST_SECONDS / 2


@pytest.mark.long
def test_what_is_served_is_compared_with_the_models_row(tiny_settings: NetworkSettings, tmp_path: Path) -> None:
    with served(tiny_settings, tmp_path / "repository") as server:
        write_tiny_model(tiny_settings.models_dir, "absent")
        with pytest.raises(ModelUnavailable, match="models export --v2"):
            load_segmenter(remote(tiny_settings, server, model="absent"))
        write_tiny_model(tiny_settings.models_dir, "probability", input_px=[32, 32])
        with pytest.raises(ModelUnavailable, match="export it anew"):
            load_segmenter(remote(tiny_settings, server, model="probability"))


def test_a_server_has_to_be_named_and_to_be_there(tiny_settings: NetworkSettings) -> None:
    settings = changed(tiny_settings, engine=EngineName.REMOTE)
    with pytest.raises(ModelUnavailable, match="CUTGATE_INFERENCE_URL"):
        load_segmenter(settings)
    with pytest.raises(InferenceUnavailable, match="does not answer: NewConnectionError"):
        load_segmenter(changed(settings, inference_url=f"http://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize("wrong", [{"inference_url": "ftp://x"}, {"inference_token": "a b\n"}], ids=str)
def test_wrong_settings_are_refused_and_not_repeated(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        NetworkSettings.model_validate(wrong)
    assert "a b" not in str(refused.value)


def test_an_export_for_triton(tiny_settings: NetworkSettings, tmp_path: Path) -> None:
    export(tiny_settings, tmp_path, "--device", "gpu", "--tensorrt")
    config = (tmp_path / "tiny" / "config.pbtxt").read_text("ascii")
    assert (tmp_path / "tiny" / "1" / "model.onnx").is_file()
    for line in (
        'input [ { name: "picture" data_type: TYPE_UINT8 dims: [ 3, 64, 64 ] } ]',
        "dynamic_batching { max_queue_delay_microseconds: 2000 }",
        "KIND_GPU",
        'key: "trt_profile_max_shapes" value: "picture:8x3x64x64"',
    ):
        assert line in config
    assert config.count("{") == config.count("}")

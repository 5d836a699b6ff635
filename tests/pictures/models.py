"""Fixtures for tests that run a network: the real one, fetched once for each machine, and a tiny one."""

from pathlib import Path

import pytest

from cutgate.worker.models.weights.files import ensure_weights
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures.tiny_network import write_tiny_model


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The user's models folder with the default model's weights in it."""
    models_dir = NetworkSettings().models_dir
    ensure_weights(ISNET, models_dir)
    return models_dir


@pytest.fixture
def tiny_settings(tmp_path: Path) -> NetworkSettings:
    """Settings of a worker that offers the tiny network, with folders of its own."""
    models_dir = tmp_path / "models"
    models_dir.mkdir()
    return NetworkSettings(
        model=write_tiny_model(models_dir),
        engine=EngineName.ONNXRUNTIME,
        models_dir=models_dir,
        cache_dir=tmp_path / "graphs",
        threads=1,
    )

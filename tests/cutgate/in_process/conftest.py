"""The tiny network as the process's own, and a picture of a dark square for it."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutgate.in_process.remover import _kept
from tests.pictures.tiny_network import tiny_environment


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The network, whose graph is prepared once; a test that changes its file puts it right again."""
    return tiny_environment(tmp_path_factory.mktemp("tiny")) | {"CUTGATE_THREADS": "1"}


@pytest.fixture(autouse=True)
def tiny(network: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Dark pixels are the subject; what was loaded for other tests is not used."""
    for name, value in network.items():
        monkeypatch.setenv(name, value)
    _kept.cache_clear()
    yield network
    _kept.cache_clear()


@pytest.fixture
def levels() -> NDArray[np.uint8]:
    """A dark square of 24 px on white, 64 px wide and 48 px high."""
    levels = np.full((48, 64, 3), 255, np.uint8)
    levels[12:36, 20:44] = (20, 30, 40)
    return levels


@pytest.fixture
def photo(levels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()

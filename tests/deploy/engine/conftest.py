"""The engine that answers here, and the images of this checkout."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.deploy.engine.engine import WANTED, is_enough
from tests.deploy.engine.service import Service

PROJECT: Final = "cutgate-check"
"""Of the build as well: Compose writes the project's name into an image, and one with another is another image."""


@pytest.fixture(scope="session")
def engine() -> None:
    assert is_enough(), WANTED


@pytest.fixture(scope="session")
def built(engine: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Service(tmp_path_factory.mktemp("build"), PROJECT) as service:
        service.compose("build")


@pytest.fixture(scope="module")
def service(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with three workers."""
    with Service(tmp_path_factory.mktemp("service"), PROJECT) as service:
        service.up()
        yield service

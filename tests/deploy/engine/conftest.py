"""One engine for all of these tests, with the images that the file names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.engine.engine import Engine, some_engine
from tests.deploy.engine.service import Service
from tests.deploy.engine.stand_ins import provide_images


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that has or can fetch every image that is not built here."""
    with some_engine() as engine:
        provide_images(engine, tmp_path_factory.mktemp("stand_ins"))
        yield engine


PROJECT: Final = "cutgate-check"
"""Of the build as well: Compose writes the project's name into an image, and one with another is another image."""


@pytest.fixture(scope="session")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The same, with the images of this checkout."""
    with Service(engine, tmp_path_factory.mktemp("build"), PROJECT) as service:
        service.compose("build")
    return engine


@pytest.fixture(scope="module")
def service(built: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with three workers."""
    folder: Path = tmp_path_factory.mktemp("service")
    with Service(built, folder, PROJECT) as service:
        service.up()
        yield service

"""Fixtures: every overlay, built once, and the schemas of custom resources."""

import shutil
from pathlib import Path

import pytest

from tests.clients.installed import npm_packages
from tests.deploy.kubernetes.installation import NAMES, Installation, built, copy_with_secrets
from tests.deploy.kubernetes.schemas import CUSTOM_RESOURCES


@pytest.fixture(scope="session")
def installations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Installation]:
    copied = copy_with_secrets(tmp_path_factory.mktemp("deploy"))
    return {name: built(copied, name) for name in NAMES}


@pytest.fixture(params=NAMES)
def installation(request: pytest.FixtureRequest, installations: dict[str, Installation]) -> Installation:
    return installations[request.param]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program that validates, and the packages with the schemas."""
    place = tmp_path_factory.mktemp("models")
    (place / "node_modules").symlink_to(npm_packages("custom-resources-1", CUSTOM_RESOURCES))
    shutil.copy(CUSTOM_RESOURCES / "validate.mjs", place)
    return place

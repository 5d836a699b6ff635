"""Fixtures: every overlay, built once, and the schemas of custom resources."""

import shutil
from pathlib import Path

import pytest

from tests.clients.installed import installed, npm_install, npm_pins
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
    pins = npm_pins(CUSTOM_RESOURCES)
    folder = installed("custom-resources-1", pins, lambda folder: npm_install(pins, folder))
    place = tmp_path_factory.mktemp("models")
    (place / "node_modules").symlink_to(folder / "node_modules")
    shutil.copy(CUSTOM_RESOURCES / "validate.mjs", place)
    return place

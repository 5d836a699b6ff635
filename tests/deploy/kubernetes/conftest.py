"""Fixtures: every overlay, built once."""

import pytest

from tests.deploy.kubernetes.installation import NAMES, Installation, built, copy_with_secrets


@pytest.fixture(scope="session")
def installations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Installation]:
    copied = copy_with_secrets(tmp_path_factory.mktemp("deploy"))
    return {name: built(copied, name) for name in NAMES}


@pytest.fixture(params=NAMES)
def installation(request: pytest.FixtureRequest, installations: dict[str, Installation]) -> Installation:
    return installations[request.param]

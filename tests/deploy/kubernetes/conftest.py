"""Every overlay, built once."""

from pathlib import Path

import pytest

from tests.deploy.kubernetes.installation import NAMES, Installation, build_all, copy_with_secrets


@pytest.fixture(scope="session")
def kustomizations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/kubernetes that can be built."""
    return copy_with_secrets(tmp_path_factory.mktemp("deploy"))


@pytest.fixture(scope="session")
def installations(kustomizations: Path) -> dict[str, Installation]:
    return build_all(kustomizations)


@pytest.fixture(params=NAMES)
def installation(request: pytest.FixtureRequest, installations: dict[str, Installation]) -> Installation:
    return installations[request.param]

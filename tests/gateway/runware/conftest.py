"""Fixtures: the service with its usual settings."""

import pytest

from tests.gateway.runware.service import Service, make_service


@pytest.fixture
def service() -> Service:
    return make_service()


@pytest.fixture
def patient_service() -> Service:
    """One whose callers wait long enough for any result."""
    return make_service(runware_sync_seconds=60)


@pytest.fixture(scope="module")
def refusing() -> Service:
    """One for requests that are all refused, and leave it as it was."""
    return make_service()

"""Fixtures: the service with its usual settings."""

import pytest

from tests.gateway.removebg.service import RemoveBg, make_removebg, patient


@pytest.fixture
def quick() -> RemoveBg:
    """One that nobody works for."""
    return make_removebg()


@pytest.fixture
def service() -> RemoveBg:
    """One whose callers wait for their results."""
    return patient()


@pytest.fixture(scope="module")
def refusing() -> RemoveBg:
    """One for requests that are all refused, and leave it as it was."""
    return make_removebg()

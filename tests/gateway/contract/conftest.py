"""Fixtures: each test runs over all façades unless `only` names those that promise what it asks."""

import pytest

from tests.gateway.contract.facades import FACADES, Facade, Maker


@pytest.fixture(params=FACADES, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[Facade]:
    """The façade that is asked."""
    chosen: type[Facade] = request.param
    return chosen


@pytest.fixture
def make(kind: type[Facade]) -> Maker:
    """Makes gateways with other settings."""
    return Maker(kind)


@pytest.fixture
def facade(make: Maker) -> Facade:
    """A caller of a gateway with the usual settings."""
    return make()

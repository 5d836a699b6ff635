"""Fixtures: the service behind a server."""

from collections.abc import Iterator

import pytest

from tests.gateway.on_loop import served
from tests.gateway.runware.service import Service, make_service
from tests.gateway.sockets.serving import Caller, admitted, calling


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    return make_service(**{"runware_sync_seconds": 30} | getattr(request, "param", {}))


@pytest.fixture
def address(service: Service) -> Iterator[str]:
    with served(service.app) as address:
        yield address


@pytest.fixture
def stranger(address: str) -> Iterator[Caller]:
    """A connection without a key so far."""
    with calling(address) as caller:
        yield caller


@pytest.fixture
def caller(address: str, service: Service) -> Iterator[Caller]:
    """A connection that is authenticated."""
    with admitted(address, service) as caller:
        yield caller

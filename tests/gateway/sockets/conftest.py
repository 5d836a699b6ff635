"""Fixtures: the service behind a server."""

from collections.abc import Iterator

import pytest

from cutgate.gateway.sockets import hub
from tests.gateway.runware.service import Service, make_service
from tests.gateway.sockets.serving import Caller, admitted, calling, served


@pytest.fixture
def large_messages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many large messages are received at once: as usual, or as the test says."""
    monkeypatch.setattr(hub, "LARGE_MESSAGES", getattr(request, "param", hub.LARGE_MESSAGES))


@pytest.fixture
def service(request: pytest.FixtureRequest, large_messages: None) -> Service:
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

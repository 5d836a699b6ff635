"""Every test of the ledger runs on every server that is here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledgers import on_server
from tests.servers.redis_server import RESTARTABLE, redis_server, server_binaries

SERVERS = server_binaries()


@pytest.fixture(params=list(SERVERS.values()), ids=list(SERVERS), scope="module", autouse=True)
def binary(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The server's program."""
    with on_server(request.param):
        yield request.param


@pytest.fixture
def own_url(binary: Path) -> Iterator[str]:
    """A server that no other test uses and that can start anew with its data."""
    with redis_server(*RESTARTABLE, binary=binary) as url:
        yield url

"""`rediss://`: all connections are encrypted, and none is made to a server that cannot prove its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.ledger.events import TaskEvents
from tests.broker import take_hint
from tests.jobs.build import LANE, Ledger
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.servers.relay import served
from tests.servers.tls import TlsRelay, write_certificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return write_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with redis_server("--port", str(port), "--bind", "127.0.0.1"):
        yield port


@pytest.fixture
def address(port: int, authority: tuple[Path, Path, Path]) -> Iterator[str]:
    """The server's URL, without the authority that vouches for it.

    Each test has its own: Celery's connections are kept by host and port, whatever else the URL says.
    """
    _, certificate, key = authority
    with served(TlsRelay(("127.0.0.1", port), certificate, key)) as relay:
        yield f"rediss://127.0.0.1:{relay.server_address[1]}/0"


@pytest.mark.parametrize("checked", [True, False])
def test_everything_goes_over_it(address: str, authority: tuple[Path, Path, Path], checked: bool) -> None:
    url = f"{address}?ssl_ca_certs={authority[0]}" if checked else f"{address}?ssl_cert_reqs=none"
    with connect(url) as client, TaskEvents(url) as events:
        ledger = Ledger(client)
        task = ledger.submit()
        assert take_hint(url, LANE) == LANE
        claim = ledger.next_claim()
        with events.listen([task.uid]) as waiter:
            assert ledger.done(claim)
            assert waiter.wait(5)


@pytest.mark.parametrize("option", ["", "?ssl_cert_reqs=required"])
def test_an_unknown_authority_is_refused_by_ledger_and_broker(address: str, option: str) -> None:
    with connect(f"{address}{option}") as client, pytest.raises(LedgerUnavailable):
        Ledger(client).server.ping()
    with pytest.raises(OperationalError):
        take_hint(f"{address}{option}", LANE)


def test_another_name_is_refused_by_ledger_and_broker(address: str, authority: tuple[Path, Path, Path]) -> None:
    url = f"{address}?ssl_ca_certs={authority[0]}".replace("127.0.0.1", "localhost")
    with connect(url) as client, pytest.raises(LedgerUnavailable):
        Ledger(client).server.ping()
    with pytest.raises(OperationalError):
        take_hint(url, LANE)

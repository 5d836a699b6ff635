"""Sentinels: their address, and that everything follows the master."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.redis_client import connect
from cutgate.jobs.sentinels import Sentinels
from tests.broker import take_hint
from tests.jobs.build import LANE, Ledger, heard_by
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.servers.relay import served
from tests.servers.sentinel import PASSWORD, SENTINEL_PASSWORD, Certificates, Watched, watched_server
from tests.servers.tls import TlsRelay, write_certificates
from tests.waiting import eventually


class TestAddress:
    def test_all_of_it(self) -> None:
        assert Sentinels.parse(
            "sentinel://me:p%40w@a:1,b,[::1]:3/2?service=s%20t&sentinel_password=q"
        ) == Sentinels(
            nodes=(("a", 1), ("b", 26_379), ("::1", 3)),
            service="s t",
            database=2,
            username="me",
            password="p@w",
            sentinel_password="q",
        )

    def test_the_least(self) -> None:
        address = Sentinels.parse("sentinel://host?service=s")
        assert address == Sentinels(nodes=(("host", 26_379),), service="s")

    @pytest.mark.parametrize(
        "url",
        [
            "sentinel://:p4ss@host",
            "sentinel://:p4ss@host/0?service=",
            "sentinel://:p4ss@/0?service=s",
            "sentinel://:p4ss@a,,b/0?service=s",
            "sentinel://:p4ss@a:x/0?service=s",
            "sentinel://:p4ss@a/x?service=s",
            "sentinel://:p4ss@a/-1?service=s",
            "sentinel://:p4ss@a/0?service=s&p4ss=1",
            "redis://:p4ss@a/0?service=s",
            "sentinel://:p4ss@a/0?service=s&ssl_ca_certs=/ca.pem",
            "rediss+sentinel://:p4ss@a/0?ssl_ca_certs=/ca.pem",
            "rediss+sentinel://:p4ss@a/0?service=s&ssl_p4ss=1",
        ],
    )
    def test_what_is_none_is_not_repeated(self, url: str) -> None:
        with pytest.raises(ValueError, match="not a URL of sentinels") as error:
            Sentinels.parse(url)
        assert "p4ss" not in str(error.value)
        assert error.value.__suppress_context__ or error.value.__context__ is None

    def test_with_tls_certificates_are_checked_unless_it_says_otherwise(self) -> None:
        address = Sentinels.parse("rediss+sentinel://a,b/0?service=s&ssl_ca_certs=%2Fca.pem")
        assert address.tls == {"ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "required"}
        unnamed = Sentinels.parse("rediss+sentinel://a?service=s&ssl_cert_reqs=none&ssl_check_hostname=false")
        assert unnamed.tls == {"ssl_cert_reqs": "none", "ssl_check_hostname": False}

    @pytest.mark.parametrize("option", ["ssl_cert_reqs=p4ss", "ssl_check_hostname=p4ss"])
    def test_an_option_of_tls_that_means_nothing_is_refused(self, option: str) -> None:
        with pytest.raises(ValueError, match="must be") as error:
            Sentinels.parse(f"rediss+sentinel://:p4ss@a?service=s&{option}")
        assert "p4ss" not in str(error.value)

    def test_passwords_stay_out_of_its_repr(self) -> None:
        assert "pw" not in repr(Sentinels.parse("sentinel://:pw1@a?service=s&sentinel_password=pw2"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path, Path]]:
    """Of the authority and the server, with its key: good ones, not trusted ones, those of another address."""
    made = {
        "good": write_certificates(tmp_path_factory.mktemp("good")),
        "of an unknown authority": write_certificates(tmp_path_factory.mktemp("unknown")),
        "for another address": write_certificates(tmp_path_factory.mktemp("other"), address="127.0.0.2"),
    }
    trusted = made["good"][0]
    trusted.write_bytes(trusted.read_bytes() + made["for another address"][0].read_bytes())
    return made


@pytest.fixture(params=["clear", "tls"])
def watched(
    request: pytest.FixtureRequest, certificates: dict[str, tuple[Path, Path, Path]]
) -> Iterator[tuple[Watched, str]]:
    """The servers, and the URL under which they are spoken to."""
    trusted, *own = certificates["good"]
    with watched_server(Certificates.of(*own) if request.param == "tls" else None) as watched:
        yield watched, watched.url_with_tls(trusted) if request.param == "tls" else watched.url


def answers(call: Callable[[], object]) -> bool:
    try:
        call()
    except LedgerUnavailable:
        return False
    return True


def took_hint(url: str) -> bool:
    """Whether a worker has got one: there may be no server to ask for a moment."""
    with suppress(OperationalError):
        return take_hint(url, LANE) == LANE
    return False


def test_everything_goes_on_at_the_new_master(watched: tuple[Watched, str]) -> None:
    servers, url = watched
    with connect(url) as client, TaskEvents(url) as events:
        ledger = Ledger(client)
        task = ledger.submit(item_count=2)
        first = ledger.next_claim()
        client.wait(1, 5_000)
        old_run_id = client.info("server")["run_id"]

        servers.fail_over()

        eventually(lambda: answers(lambda: ledger.done(first)), seconds=20)
        assert client.info("server")["run_id"] != old_run_id
        eventually(lambda: took_hint(url), seconds=20)
        assert client.get_connection_kwargs()["db"] == 3
        second = ledger.next_claim()
        heard = heard_by(events)
        assert ledger.done(second)
        assert heard.get(timeout=5) == task.uid
        assert ledger.task(task.uid).booked == 2


@pytest.mark.parametrize(
    ("who", "bad"), [("servers", "of an unknown authority"), ("sentinel", "for another address")]
)
def test_a_certificate_that_proves_nothing_is_refused_of_servers_and_of_sentinels(
    certificates: dict[str, tuple[Path, Path, Path]], who: str, bad: str
) -> None:
    trusted, *own = certificates["good"]
    _, certificate, key = certificates[bad]
    with watched_server(replace(Certificates.of(*own), **{who: (certificate, key)})) as watched:
        url = watched.url_with_tls(trusted)
        with connect(url) as client, pytest.raises(LedgerUnavailable) as refused:
            Ledger(client).server.ping()
        with pytest.raises(OperationalError) as untaken:
            take_hint(url, LANE)
        for error in (refused, untaken):
            assert not [secret for secret in (PASSWORD, SENTINEL_PASSWORD) if secret in str(error.value)]


def test_sentinels_that_are_away() -> None:
    with connect("sentinel://:p4ss@127.0.0.1:1/0?service=s") as client, pytest.raises(LedgerUnavailable) as error:
        Ledger(client).server.ping()
    assert "p4ss" not in str(error.value)


# `rediss://`: all connections are encrypted, and none is made to a server that cannot prove its name.


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
        heard = heard_by(events)
        assert ledger.done(claim)
        assert heard.get(timeout=5) == task.uid


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

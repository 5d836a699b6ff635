"""Sessions of connections that live, while the ledger's server is away, and as the real server stops."""

import signal
from collections.abc import Iterator
from typing import NoReturn

import pytest
from structlog.testing import capture_logs
from websockets.frames import CloseCode

from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.jobs.errors import LedgerUnavailable
from tests.gateway.installation import Installation, LiveGateway
from tests.gateway.on_loop import served
from tests.gateway.runware.service import Item, Service, authentication, poll, removal, upload
from tests.gateway.sockets.serving import Caller, admitted, calling, wait_for_items
from tests.ledgers import fresh_prefix, server
from tests.waiting import eventually


def away(*_: object) -> NoReturn:
    raise LedgerUnavailable("the server does not answer")


@pytest.fixture
def prefix() -> str:
    return fresh_prefix()


@pytest.fixture
def sessions(prefix: str) -> Sessions:
    return Sessions(server(), keep_seconds=60, renew_seconds=0.05, key_prefix=prefix)


@pytest.fixture
def address(service: Service, sessions: Sessions) -> Iterator[str]:
    with served(service.harness.make_app(service.settings, sessions=sessions)) as address:
        yield address


def test_the_session_of_a_connection_that_lives_is_renewed(service: Service, address: str, prefix: str) -> None:
    with calling(address) as caller:
        key = f"{prefix}session:{caller.authenticate(service.api_key)}"

        def left_ms() -> int:
            return int(server().pttl(key))

        server().pexpire(key, 10_000)
        eventually(lambda: left_ms() > 50_000)
        caller.vanish()
        eventually(lambda: left_ms() < 60_000)
        server().pexpire(key, 10_000)
        with calling(address) as again:  # whose renewals happen, and do not renew what it does not hold
            other = f"{prefix}session:{again.authenticate(service.api_key)}"
            server().pexpire(other, 10_000)
            eventually(lambda: int(server().pttl(other)) > 50_000)
        assert left_ms() <= 10_000


def test_a_connection_whose_session_another_one_resumed_is_closed(service: Service, address: str) -> None:
    with calling(address) as first, calling(address) as second:
        session = first.authenticate(service.api_key)
        assert second.authenticate(service.api_key, session) == session
        assert first.close_code() == CloseCode.NORMAL_CLOSURE
        assert first.connection.close_reason == "resumed by another connection"
        second.ping()


def test_renewal_goes_on_once_the_server_is_back(
    service: Service, address: str, sessions: Sessions, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with calling(address) as caller, capture_logs() as logs:
        key = f"{prefix}session:{caller.authenticate(service.api_key)}"
        with monkeypatch.context() as patched:
            patched.setattr(sessions, "renew", away)
            eventually(lambda: any(line["event"] == "sessions_not_renewed" for line in logs))
        server().pexpire(key, 10_000)
        eventually(lambda: int(server().pttl(key)) > 50_000)
        caller.ping()


def test_a_session_that_ended_while_the_server_was_away_closes_nothing(
    service: Service, address: str, prefix: str
) -> None:
    with calling(address) as caller:
        session = caller.authenticate(service.api_key)
        server().delete(f"{prefix}session:{session}")
        eventually(lambda: bool(server().exists(f"{prefix}session:{session}")))
        caller.ping()
        caller.vanish()
        with calling(address) as again:
            assert again.authenticate(service.api_key, session) == session


def test_who_comes_while_the_server_is_away_is_asked_to_come_again(
    service: Service, address: str, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "open", away)
    with calling(address) as caller:
        assert caller.refused(authentication(service.api_key)) == "serviceUnavailable"
        assert caller.close_code() == CloseCode.TRY_AGAIN_LATER


def test_a_result_comes_although_the_session_cannot_be_told(
    service: Service, address: str, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with admitted(address, service) as caller, capture_logs() as logs:
        with monkeypatch.context() as patched:
            for name in ("owe", "keep", "settle", "leave"):
                patched.setattr(sessions, name, away)
            with service.working():
                assert caller.ask(removal())["status"] == "success"
            assert caller.ask(upload())["status"] == "success"
            # One that is owed, one that is kept, and two that have arrived.
            eventually(lambda: [line["event"] for line in logs].count("session_not_kept") >= 4)
        assert {line["log_level"] for line in logs if line["event"] == "session_not_kept"} == {"warning"}


def test_a_result_comes_once_the_ledger_can_be_read_again(
    service: Service, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with admitted(address, service) as caller, capture_logs() as logs:
        caller.send(removal())
        wait_for_items(service)
        with monkeypatch.context() as patched:
            patched.setattr(service.store.tasks, "get_many", away)
            assert service.work_once()
            eventually(lambda: any(line["event"] == "tasks_not_read" for line in logs))
        assert caller.data()["status"] == "success"


@pytest.fixture(scope="module")
def api_key(installation: Installation) -> str:
    return str(installation.keys("add", "--api-key", "--name", "shop")["api_key"])


def assert_no_faults(gateway: LiveGateway) -> None:
    lines = [line for line in gateway.log.read_text().splitlines() if "Traceback" in line]
    assert not lines, lines[0]


def ask(caller: Caller, task: Item) -> Item:
    caller.send(task)
    return caller.next()


@pytest.mark.long
def test_a_gateway_that_is_told_to_stop_closes_busy_sockets_with_1012_and_idle_ones_with_1000(
    installation: Installation, api_key: str
) -> None:
    with installation.serving(CUTGATE_SHUTDOWN_SECONDS="5") as gateway:
        with calling(gateway.address) as idle, calling(gateway.address) as busy:
            idle.authenticate(api_key)
            session = busy.authenticate(api_key)
            task = removal(deliveryMethod="sync")
            busy.send(task)
            # Its acknowledgement by the ledger shows in the poll of another connection.
            eventually(lambda: "data" in ask(idle, poll(task)))
            gateway.process.send_signal(signal.SIGTERM)
            assert idle.close_code() == CloseCode.NORMAL_CLOSURE
            assert busy.close_code() == CloseCode.SERVICE_RESTART
        assert gateway.process.wait(30) == 0
        assert_no_faults(gateway)
    with installation.serving() as other, calling(other.address) as again:
        assert again.authenticate(api_key, session) == session, "any process of the installation resumes it"

"""Callers that wait for their results over HTTP without a thread, on the real server: uvicorn, Redis, files."""

import base64
import itertools
import json
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from redis import Redis

from cutgate.gateway.waiting.callers import HUNG_UP
from cutgate.jobs.answers import Balance
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import SourceUndecodable
from cutgate.jobs.ids import new_token, result_key
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import Claim, Result
from cutgate.jobs.redis_client import connect as connect_ledger
from tests.constants import environment_of
from tests.end_to_end.observed.collector import collecting
from tests.gateway import picture_files as pictures
from tests.gateway.harness import make_settings, there
from tests.gateway.installation import Installation, LiveGateway
from tests.gateway.serving.test_slow_peers import PATIENCE_SECONDS, everything, is_alive
from tests.gateway.waiting.waiting_gateway import WAIT
from tests.ledgers import ReadableLedger
from tests.servers.ports import free_port
from tests.servers.scrapes import scrape
from tests.waiting import eventually

THREADS = 2
LONG_SECONDS = 600
HANG_UP_SECONDS = 0.3
LARGE = bytes(range(256)) * 2**17
"""A result that no socket's buffers hold."""
SETTINGS = make_settings()


@dataclass
class House:
    """A gateway, and what stands in for its workers."""

    gateway: LiveGateway
    redis: Redis
    blobs: FileBlobStore
    metrics_port: int
    sides_px: Iterator[int] = field(default_factory=lambda: itertools.count(8))
    told_bytes: int = 0
    """What the log had before the test."""

    def __post_init__(self) -> None:
        self.store = ReadableLedger(self.redis, SETTINGS.ledger_limits())

    def begin(self) -> None:
        """Begin with an empty ledger, which is still the storage's, and an empty log."""
        installation = self.redis.get(f"{KEY_PREFIX}installation")
        self.redis.flushall()
        if installation is not None:
            self.redis.set(f"{KEY_PREFIX}installation", installation)
        self.told_bytes = self.gateway.log.stat().st_size

    def new_picture(self) -> bytes:
        return pictures.png(8, next(self.sides_px))

    def ask(
        self,
        picture: bytes | None = None,
        *,
        account: str = "shop",
        seconds: float = LONG_SECONDS,
        receive_bytes: int | None = None,
        **query: Any,
    ) -> socket.socket:
        """A caller that waits for the cut-out of a picture."""
        caller = socket.socket()
        if receive_bytes is not None:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        caller.settimeout(PATIENCE_SECONDS)
        host, _, port = self.gateway.address.partition(":")
        caller.connect((host, int(port)))
        body = base64.b64encode(self.new_picture() if picture is None else picture)
        asked = urlencode(query | {"account": account, "seconds": seconds})
        head = f"POST {WAIT}?{asked} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        caller.sendall(f"{head}Connection: close\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n".encode() + body)
        return caller

    def held(self, count: int) -> None:
        """Wait until so many callers are held."""
        eventually(lambda: (scrape(self.metrics_port).value(names.CALLERS_HELD) or 0) == count)

    def waiting(self) -> int:
        """How many items wait."""
        return self.store.waiting(SETTINGS.choice.lane)

    def accepts(self) -> bool:
        """Whether the gateway takes further connections."""
        host, _, port = self.gateway.address.partition(":")
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            return False
        return True

    def claim(self) -> Claim:
        return there(self.store.claims.take([SETTINGS.choice.lane], "worker", new_token()))

    def finish(self, data: bytes = b"result", claim: Claim | None = None) -> None:
        """End the next item, or one that was claimed."""
        claim = claim or self.claim()
        key = result_key(claim.task, claim.index, claim.token)
        self.blobs.put(key, data)
        result = Result(blob=key, media_type="image/png", width_px=8, height_px=8, size_bytes=len(data))
        assert self.store.claims.finish(claim, result)

    def lines(self) -> list[dict[str, Any]]:
        """What the log tells of requests of the path."""
        told = self.gateway.log.read_bytes()[self.told_bytes :].decode()
        lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("endpoint") == "waiting.wait"]

    def balance(self) -> Balance:
        return there(self.store.accounts.balance("shop"))


@contextmanager
def housed(installation: Installation, **settings: str) -> Iterator[House]:
    client = connect_ledger(installation.redis_url)
    port = free_port()
    hang_up = float(settings.pop("HANG_UP_SECONDS", HANG_UP_SECONDS))
    own = {"REQUEST_THREADS": str(THREADS), "METRICS_PORT": str(port)}
    values = {f"CUTGATE_{name}": value for name, value in (own | settings).items()}
    program = ("-m", "tests.gateway.waiting.waiting_gateway")
    constants = environment_of({"cutgate.gateway.waiting.callers:HANG_UP_SECONDS": hang_up})
    with installation.serving(program=program, **constants, **values) as gateway:
        house = House(gateway, client, FileBlobStore(installation.blob_dir), port)
        house.begin()
        yield house
        assert "Traceback" not in gateway.log.read_text(), gateway.log.read_text()


@pytest.fixture(scope="module")
def patient(installation: Installation) -> Iterator[House]:
    with housed(installation) as house:
        yield house


@pytest.fixture
def house(patient: House) -> House:
    """The same gateway for all tests, on an empty ledger."""
    patient.held(0)
    patient.begin()
    return patient


def answer_of(caller: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with caller:
        head, _, body = everything(caller).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.title(): text for name, text in pairs}, body


def hang_up(caller: socket.socket, *, at_once: bool) -> None:
    """In order, or as a caller does that is killed."""
    if at_once:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


def test_more_callers_than_threads_wait_and_leave_requests_their_threads(house: House) -> None:
    count = 10 * THREADS
    with ExitStack() as held:
        callers = [held.enter_context(house.ask()) for _ in range(count)]
        house.held(count)
        assert all(is_alive(house.gateway) for _ in range(3))
        for number in range(count):
            house.finish(b"result %d" % number)
        answers = [answer_of(caller) for caller in callers]
    assert sorted(body for _, _, body in answers) == sorted(b"result %d" % number for number in range(count))
    assert {status for status, _, _ in answers} == {200}
    assert len(house.lines()) == count


@pytest.mark.parametrize("memory", ["", "yes"], ids=["out of a file", "out of memory"])
def test_a_large_result_comes_whole(house: House, memory: str) -> None:
    with house.ask(memory=memory) as caller:
        house.held(1)
        house.finish(LARGE)
        status, headers, body = answer_of(caller)
    assert (status, len(body), body == LARGE) == (200, len(LARGE), True)
    assert headers["Content-Length"] == str(len(LARGE))
    assert headers["Content-Type"] == "image/png"
    assert headers["Connection"] == "close"
    assert headers["X-Content-Type-Options"] == "nosniff", "what is done to all answers is done to this one"
    assert "Date" in headers


def test_it_is_told_of_once_with_its_own_status_and_its_whole_time(house: House) -> None:
    counted = {"facade": "waiting", "action": "wait", "code": "422"}
    before = scrape(house.metrics_port).value(names.REQUESTS, **counted) or 0
    with house.ask() as caller:
        house.held(1)
        assert house.lines() == []
        assert house.store.claims.fail(house.claim(), SourceUndecodable("damaged").facts())
        status, _, body = answer_of(caller)
    assert (status, body) == (422, SourceUndecodable.kind.encode())
    [line] = house.lines()
    assert (line["event"], line["status"], line["method"]) == ("request", 422, "POST")
    assert line["request_uuid"]
    assert line["duration_ms"] > 0
    assert scrape(house.metrics_port).value(names.REQUESTS, **counted) == before + 1


def test_what_the_answer_raises_is_answered_as_if_the_view_did(house: House) -> None:
    with house.ask(broken="yes") as caller:
        house.held(1)
        house.finish()
        status, headers, _ = answer_of(caller)
    assert (status, headers["Content-Type"]) == (404, "application/json")


def test_when_the_time_is_over_the_work_goes_on_and_a_repeat_joins_it(house: House) -> None:
    house.store.accounts.grant("shop", 10)
    picture = house.new_picture()
    with house.ask(picture, seconds=0.2) as caller:
        status, headers, _ = answer_of(caller)
    assert (status, headers["Retry-After"]) == (429, "2")
    with house.ask(picture) as caller:
        house.held(1)
        house.finish(b"the one")
        assert answer_of(caller)[::2] == (200, b"the one")
    with house.ask(picture) as caller:
        assert answer_of(caller)[::2] == (200, b"the one"), "what is done is joined, too"
    assert house.balance() == Balance(granted=10, used=1, reserved=0)


@pytest.mark.parametrize("at_once", [False, True], ids=["in order", "killed"])
def test_the_task_of_a_caller_that_hangs_up_is_terminated_for_free(house: House, *, at_once: bool) -> None:
    house.store.accounts.grant("shop", 10)
    caller = house.ask()
    house.held(1)
    hang_up(caller, at_once=at_once)
    house.held(0)
    assert house.waiting() == 0
    assert house.balance() == Balance(granted=10, used=0, reserved=0)
    assert [line["status"] for line in house.lines()] == [HUNG_UP]


@pytest.mark.long
def test_a_caller_that_hangs_up_just_before_its_time_is_over_leaves_nothing_either(
    installation: Installation,
) -> None:
    with housed(installation, HANG_UP_SECONDS="4") as house:
        caller = house.ask(seconds=3)
        house.held(1)
        hang_up(caller, at_once=False)
        house.held(0)
        assert house.waiting() == 0


def test_what_was_begun_when_its_caller_hung_up_is_done(house: House) -> None:
    caller = house.ask()
    house.held(1)
    claim = house.claim()
    hang_up(caller, at_once=True)
    with house.ask(seconds=3 * HANG_UP_SECONDS, account="other") as later:
        assert answer_of(later)[0] == 429
    house.finish(claim=claim)
    house.held(0)


def test_what_another_one_waits_for_goes_on(house: House) -> None:
    """Until that one has hung up as well."""
    picture = house.new_picture()
    first, second = house.ask(picture), house.ask(picture)
    house.held(2)
    hang_up(first, at_once=True)
    with house.ask(seconds=3 * HANG_UP_SECONDS, account="other") as later:
        assert answer_of(later)[0] == 429
    assert house.waiting() == 2
    hang_up(second, at_once=False)
    house.held(0)
    assert house.waiting() == 1, "the other account's"


def test_a_caller_that_has_said_all_may_shut_its_side_down(house: House) -> None:
    with house.ask() as caller:
        house.held(1)
        claim = house.claim()
        caller.shutdown(socket.SHUT_WR)
        house.finish(b"for it", claim)
        assert answer_of(caller)[::2] == (200, b"for it")


def test_what_a_caller_sends_meanwhile_is_not_answered_and_spoils_nothing(house: House) -> None:
    with house.ask() as caller:
        house.held(1)
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000)
        house.finish(LARGE)
        status, _, body = answer_of(caller)
    assert (status, body == LARGE) == (200, True)


def test_places_are_bounded_in_all_and_by_account_before_anything_is_accepted(installation: Installation) -> None:
    with (
        housed(installation, HELD_CALLERS="3") as house,
        ExitStack() as held,
    ):
        gone, *_ = callers = [held.enter_context(house.ask()) for _ in range(2)]
        house.held(2)
        assert answer_of(house.ask())[::2] == (503, b"no place"), "of the account"
        callers.append(held.enter_context(house.ask(account="other")))
        house.held(3)
        assert answer_of(house.ask(account="third"))[::2] == (503, b"no place"), "of all"
        assert house.waiting() == 3
        hang_up(gone, at_once=False)
        house.held(2)
        for _ in range(4):
            assert answer_of(house.ask(b"no picture"))[0] == 400, "a place is left by what is refused"
        held.enter_context(house.ask())
        house.held(3)


def test_a_gateway_that_is_told_to_stop_answers_all_that_it_holds(installation: Installation) -> None:
    with housed(installation, SHUTDOWN_SECONDS="8") as house, house.ask() as lucky, house.ask() as unlucky:
        house.held(2)
        house.gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: not house.accepts())
        house.finish(b"in time")
        answers = sorted(answer_of(caller)[::2] for caller in (lucky, unlucky))
        assert answers == [(200, b"in time"), (429, b"not yet")]
        assert house.gateway.process.wait(PATIENCE_SECONDS) == 0
        assert house.waiting() == 1, "it goes on elsewhere"
        assert len(house.lines()) == 2


@pytest.mark.long
def test_its_span_lasts_until_its_answer_and_says_its_status(installation: Installation) -> None:
    with collecting() as collector:
        with housed(installation, TRACES_URL=collector.url, TRACES_SHARE="1") as house:
            for data in (b"first", b"second"):
                with house.ask() as caller:
                    house.held(1)
                    time.sleep(0.1)
                    house.finish(data)
                    assert answer_of(caller)[0] == 200
            lines = house.lines()
        waited = [span for span in collector.spans() if span.name == f"POST {WAIT}"]
        submits = [span for span in collector.spans() if span.name == "submit"]
    assert [span.attributes["http.response.status_code"] for span in waited] == [200, 200]
    assert [span.seconds > 0.1 for span in waited] == [True, True]
    assert [span.parent for span in submits] == [span.id for span in waited]
    assert [line["trace_id"] for line in lines] == [span.trace_id for span in waited]

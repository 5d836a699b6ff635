"""Callers that send slowly, do not read, or do nothing at all: what they cost others, and how they end."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from cutgate.gateway.addresses import Places
from cutgate.gateway.serving.peers import counted_as
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_task_uid, new_token, result_key
from cutgate.jobs.record import Result
from cutgate.jobs.urls import ResultPaths
from tests.gateway.harness import MASTER_KEY
from tests.gateway.installation import Installation, LiveGateway
from tests.waiting import eventually

PATIENCE_SECONDS = 20
"""Far more than an answer takes, far less than callers are waited for."""
LONG_SECONDS = "600"
THREADS = 4
MANY = 4 * THREADS
LARGE_BYTES = 300_000
"""A body that is received once its head was looked at."""

HALF_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nX-A: "
HALF_BODY = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{"


@pytest.fixture(scope="module")
def patient(installation: Installation) -> Iterator[LiveGateway]:
    """A gateway that waits longer for callers than any test."""
    with installation.serving(
        CUTGATE_REQUEST_THREADS=str(THREADS),
        CUTGATE_HEAD_SECONDS=LONG_SECONDS,
        CUTGATE_TRANSFER_SECONDS=LONG_SECONDS,
    ) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def strict(installation: Installation) -> Iterator[LiveGateway]:
    """A gateway that hardly waits."""
    with installation.serving(
        CUTGATE_REQUEST_THREADS=str(THREADS), CUTGATE_HEAD_SECONDS="0.5", CUTGATE_TRANSFER_SECONDS="1"
    ) as gateway:
        yield gateway


@pytest.fixture
def result(installation: Installation) -> tuple[str, bytes]:
    """The path of a result that no socket's buffers hold, and its bytes."""
    key = result_key(new_task_uid(), 0, new_token())
    content = bytes(range(256)) * 2**17
    FileBlobStore(installation.blob_dir).put(key, content)
    picture = Result(blob=key, media_type="image/png", width_px=1, height_px=1, size_bytes=len(content))
    settings = GatewaySettings(master_key=MASTER_KEY)
    return ResultPaths(settings.master_keys()).path(picture, 2**33), content


def connect(gateway: LiveGateway, receive_bytes: int | None = None) -> socket.socket:
    host, _, port = gateway.address.partition(":")
    caller = socket.socket()
    if receive_bytes is not None:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    caller.settimeout(PATIENCE_SECONDS)
    caller.connect((host, int(port)))
    return caller


@contextmanager
def callers(gateway: LiveGateway, sent: bytes, count: int = MANY) -> Iterator[list[socket.socket]]:
    """Callers that send something, and then nothing."""
    with ExitStack() as stack:
        held = [stack.enter_context(connect(gateway, 4_096)) for _ in range(count)]
        for caller in held:
            caller.sendall(sent)
        yield held


def is_alive(gateway: LiveGateway) -> bool:
    return httpx.get(f"{gateway.url}/healthz", timeout=PATIENCE_SECONDS).status_code == 200


def is_served(gateway: LiveGateway) -> bool:
    """Whether another connection is, of two."""
    try:
        return [httpx.get(f"{gateway.url}/healthz").status_code for _ in range(2)] == [200, 200]
    except httpx.TransportError:
        return False


def everything(caller: socket.socket) -> bytes:
    return b"".join(iter(lambda: caller.recv(2**20), b""))


def status_and_body(caller: socket.socket) -> tuple[int, bytes]:
    head, _, body = everything(caller).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"P", id="a byte"),
        pytest.param(HALF_HEAD, id="half a head"),
        pytest.param(HALF_BODY % (b"/", 1_000), id="half a small body"),
        pytest.param(HALF_BODY % (b"/", LARGE_BYTES), id="half a large body"),
        pytest.param(HALF_BODY % (b"/nothing", LARGE_BYTES), id="a large body for nobody"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\nG", id="half of a second head"),
        pytest.param(b"GET /healthz HTTP/1.0\r\n\r\n", id="no end after the answer"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n", id="a probe with a body"),
    ],
)
def test_callers_that_stop_in_the_middle_stop_nobody_else(patient: LiveGateway, sent: bytes) -> None:
    with callers(patient, sent):
        for _ in range(3):
            assert is_alive(patient)
        answer = httpx.post(f"{patient.url}/", json={"Action": "x"}, timeout=PATIENCE_SECONDS)
        assert answer.json()["RetCode"] == 161 or answer.json()["RetCode"] == 170


@pytest.mark.parametrize(("asked", "status", "start"), [(b"", 200, 0), (b"Range: bytes=1-\r\n", 206, 1)])
def test_callers_that_do_not_read_stop_nobody_and_get_all_of_it_later(
    patient: LiveGateway, result: tuple[str, bytes], asked: bytes, status: int, start: int
) -> None:
    path, content = result
    head = b"GET %b HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n" % (path.encode(), asked)
    with callers(patient, head) as held:
        assert is_alive(patient)
        assert httpx.get(patient.url + path, timeout=PATIENCE_SECONDS).content == content
        assert status_and_body(held[0]) == (status, content[start:])


def test_an_answer_in_memory_waits_for_its_reader(patient: LiveGateway) -> None:
    """Answers that no file holds, one after the other on one connection that is not read before the end."""
    whole = httpx.get(f"{patient.url}/openapi.json").content
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    count = 2**22 // len(whole)
    with connect(patient, 4_096) as caller:
        caller.sendall(request * count + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert is_alive(patient)
        assert everything(caller).count(whole) == count + 1


def go_at_once(caller: socket.socket) -> None:
    """Close a connection as a caller does that is killed."""
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


@pytest.mark.parametrize("size_bytes", [1_000, LARGE_BYTES], ids=["small", "large"])
def test_callers_that_are_gone_while_their_bodies_come_end_nothing(patient: LiveGateway, size_bytes: int) -> None:
    with callers(patient, HALF_BODY % (b"/", size_bytes)) as held:
        is_alive(patient)  # all of them are known
        for caller in held:
            go_at_once(caller)
        assert all(is_alive(patient) for _ in range(3))
        assert "Traceback" not in patient.log.read_text()


def test_callers_that_are_gone_before_their_answer_end_nothing(patient: LiveGateway) -> None:
    for _ in range(50):
        with callers(patient, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as held:
            go_at_once(held[0])
    assert all(is_alive(patient) for _ in range(3))
    assert "Traceback" not in patient.log.read_text()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(HALF_HEAD, 160, id="head"),
        pytest.param(HALF_BODY % (b"/", 1_000), 160, id="small body"),
        pytest.param(HALF_BODY % (b"/", LARGE_BYTES), 160, id="large body"),
        pytest.param(HALF_BODY % (b"/v1", LARGE_BYTES), "requestTimeout", id="large body of the other protocol"),
    ],
)
def test_what_comes_too_slowly_is_answered_with_408(strict: LiveGateway, sent: bytes, code: object) -> None:
    with connect(strict) as caller:
        caller.sendall(sent)
        status, body = status_and_body(caller)
    answer = json.loads(body)
    assert (status, answer.get("RetCode") or answer["errors"][0]["code"]) == (408, code)


def test_a_caller_that_does_not_read_is_cut_off(strict: LiveGateway, result: tuple[str, bytes]) -> None:
    path, content = result
    with connect(strict, 4_096) as caller:
        caller.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        eventually(lambda: '"answer"' in strict.log.read_text())
        assert received_bytes(caller) < len(content)


def received_bytes(caller: socket.socket) -> int:
    """How much comes until the connection is over, in order or not."""
    size_bytes = 0
    with suppress(ConnectionError):
        while chunk := caller.recv(2**20):
            size_bytes += len(chunk)
    return size_bytes


def test_a_flood_of_slow_callers_is_one_line_of_the_log(strict: LiveGateway) -> None:
    with callers(strict, HALF_HEAD) as held:
        assert {status_and_body(caller)[0] for caller in held} == {408}
    lines = [json.loads(line) for line in strict.log.read_text().splitlines()]
    assert len([line for line in lines if line.get("reason") == "head"]) == 1


@pytest.mark.parametrize("sent_bytes", [0, LARGE_BYTES], ids=["not sent", "sent"])
def test_a_refusal_is_read_whether_the_body_is_sent_or_not(patient: LiveGateway, sent_bytes: int) -> None:
    with connect(patient) as caller:
        caller.sendall(HALF_BODY[:-1] % (b"/nothing", LARGE_BYTES) + b" " * sent_bytes)
        head = everything(caller).partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close" in head


def test_an_address_has_so_many_connections(installation: Installation) -> None:
    with (
        installation.serving(CUTGATE_CONNECTIONS="64", CUTGATE_TRUSTED_PROXIES="10.0.0.1") as gateway,
        ExitStack() as enter,
    ):
        with callers(gateway, b"", count=20):
            assert is_alive(gateway), "its own idle ones make room"
        half = HALF_BODY % (b"/", LARGE_BYTES)
        held = enter.enter_context(callers(gateway, half, count=6))
        assert is_served(gateway)
        while is_served(gateway):  # one whose head has not come yet may make room for the look itself
            enter.enter_context(callers(gateway, half, count=1))
        with connect(gateway) as caller:
            head = everything(caller).partition(b"\r\n\r\n")[0]
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in head
        held[0].close()
        eventually(lambda: is_served(gateway))


def test_there_are_files_for_all_connections(patient: LiveGateway) -> None:
    limits = Path(f"/proc/{patient.process.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft, hard = line.split()[3:5]
    assert soft == hard or int(soft) > 2 * GatewaySettings.model_fields["connections"].default


class TestPlaces:
    def test_in_all_and_by_address(self) -> None:
        places = Places(total=3, per_address=2)
        assert [places.take("a"), places.take("a"), places.take("a")] == [True, True, False]
        assert [places.take("b"), places.take("b")] == [True, False]
        places.leave("a")
        assert [places.take("b"), places.take("a")] == [True, False]

    def test_a_proxy_may_take_all(self) -> None:
        places = Places(total=3, per_address=1)
        assert [places.take(None) for _ in range(4)] == [True, True, True, False]

    def test_one_subscriber_is_one_address(self, networks: Callable[[str], GatewaySettings]) -> None:
        proxies = networks("10.0.0.0/8").trusted_proxies
        assert counted_as("10.1.2.3", proxies) is None
        assert counted_as("192.0.2.1", proxies) == "192.0.2.1"
        assert counted_as("2001:db8::1", ()) == counted_as("2001:db8::2", ())


@pytest.fixture
def networks() -> Callable[[str], GatewaySettings]:
    return lambda text: GatewaySettings.model_validate({"master_key": MASTER_KEY, "trusted_proxies": text})

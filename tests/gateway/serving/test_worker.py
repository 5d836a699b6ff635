"""Which thread answers what."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.gateway.installation import Installation, LiveGateway
from tests.waiting import eventually

PATIENCE_SECONDS = 20
"""Far more than an answer takes."""
_TELLS = """
import sys, threading
from cutgate.gateway.__main__ import main
from cutgate.gateway.serving.worker import PolledWorker
def telling(name):
    called = getattr(PolledWorker, name)
    def tell(self, *args):
        print(name, threading.current_thread().name.partition("_")[0], file=sys.stderr, flush=True)
        return called(self, *args)
    setattr(PolledWorker, name, tell)
telling("handle_request")
telling("finish_request")
main()
"""
"""A gateway that says which thread answers, and when a connection is the poller's again."""
THREADS = 3
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
REQUEST = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
BY_POOL = "handle_request ThreadPoolExecutor-0"
BY_PROBES = "handle_request probe"
GIVEN_BACK = "finish_request MainThread"


@pytest.fixture(scope="module")
def gateway(installation: Installation) -> Iterator[LiveGateway]:
    settings = {"CUTGATE_REQUEST_THREADS": str(THREADS - 1), "CUTGATE_RECEIVING_THREADS": "1"}
    with installation.serving(program=("-c", _TELLS), **settings) as live:
        yield live


def connect(gateway: LiveGateway) -> socket.socket:
    host, _, port = gateway.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)


def told(gateway: LiveGateway) -> list[str]:
    return [line for line in gateway.log.read_text().splitlines() if line.startswith(("handle_", "finish_"))]


def answers_to(gateway: LiveGateway, sent: bytes) -> tuple[int, list[str]]:
    """How many answers come to what is sent at once, and what is told meanwhile."""
    before = len(told(gateway))
    with connect(gateway) as caller:
        caller.sendall(sent)
        received = b"".join(iter(lambda: caller.recv(2**16), b""))
    return received.count(b"HTTP/1.1 "), told(gateway)[before:]


def test_a_thread_goes_on_with_the_requests_that_are_there(gateway: LiveGateway) -> None:
    assert answers_to(gateway, REQUEST * 4 + LAST) == (5, [BY_POOL] * 5 + [GIVEN_BACK])


def test_the_thread_of_probes_answers_nothing_else_and_no_other_answers_probes(gateway: LiveGateway) -> None:
    by_each = [BY_PROBES, GIVEN_BACK, BY_POOL, GIVEN_BACK] * 2
    assert answers_to(gateway, PROBE + REQUEST + PROBE + LAST) == (4, by_each)


def test_half_of_a_request_behind_another_holds_no_thread(gateway: LiveGateway) -> None:
    half = REQUEST + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    with ExitStack() as stack:
        for _ in range(2 * THREADS):
            stack.enter_context(connect(gateway)).sendall(half)
        assert answers_to(gateway, LAST)[0] == 1


def test_callers_that_never_pause_share_the_threads_with_others(gateway: LiveGateway) -> None:
    """Each of more callers than threads has its next request there at any time."""
    with ExitStack() as stack:
        for _ in range(2 * THREADS):
            stack.enter_context(never_pausing(gateway))
        assert answers_to(gateway, LAST)[0] == 1
        before = len(told(gateway))
        eventually(lambda: told(gateway)[before:].count(BY_POOL) >= 200)
        meanwhile = told(gateway)[before:]
    assert meanwhile.count(GIVEN_BACK) > meanwhile.count(BY_POOL) / 2


@contextmanager
def never_pausing(gateway: LiveGateway) -> Iterator[None]:
    """A caller that has more requests there than were answered, until the block ends."""
    is_over = threading.Event()

    def work() -> None:
        with connect(gateway) as caller:
            more = 50
            while not is_over.is_set():
                caller.sendall(REQUEST * more)
                more = caller.recv(2**16).count(b"HTTP/1.1 ")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()

"""A proxy between a client and the service that does what networks and busy services do, in a fixed order."""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.servers.relay import served


class Fault(Enum):
    NONE = auto()
    UNAVAILABLE = auto()
    """HTTP 503, and the service never sees the request."""
    THROTTLED = auto()
    """HTTP 429 with `Retry-After`."""
    THROTTLED_IN_THE_ANSWER = auto()
    """HTTP 200 with code 153."""
    REFUSED = auto()
    """The connection ends before the service sees the request."""
    LOST = auto()
    """The service does it, and its answer is lost."""
    HALF = auto()
    """The answer ends half way."""


MIXED = tuple(random.Random(0).choices(tuple(Fault), weights=[6, 1, 1, 1, 1, 1, 1], k=97))
"""Every second request meets a fault; each kind is among the first thirty."""
HANDED_ON = frozenset({Fault.NONE, Fault.LOST, Fault.HALF})


class FlakyProxy(ThreadingHTTPServer):
    """Hands requests on to a service, but for those that the order of faults says otherwise of."""

    block_on_close = True

    def __init__(self, upstream: str, faults: Iterable[Fault]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.met: Counter[Fault] = Counter()
        self.away = threading.Event()
        """While set, every request ends without an answer."""
        self.upstream = httpx.Client(base_url=upstream, trust_env=False, timeout=60)
        self._faults = itertools.cycle(faults)
        self._turn = threading.Lock()

    def next_fault(self) -> Fault:
        with self._turn:
            fault = Fault.REFUSED if self.away.is_set() else next(self._faults)
            self.met[fault] += 1
        return fault


class Handler(BaseHTTPRequestHandler):
    """One request at a time; the answers say how long they are."""

    server: FlakyProxy

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.next_fault()
        self.close_connection = True
        if fault in HANDED_ON:
            names = {"Content-Type": self.headers.get("Content-Type", ""), "Host": self.headers["Host"]}
            answer = self.server.upstream.request(self.command, self.path, content=content, headers=names)
            if fault is not Fault.LOST:
                again = answer.headers.get("Retry-After", "0")
                self.answer(answer.status_code, answer.content, half=fault is Fault.HALF, again=again)
        elif fault is Fault.UNAVAILABLE:
            self.answer(503, b"away")
        elif fault is Fault.THROTTLED:
            self.answer(429, b'{"RetCode": 153, "Message": "Request throttled"}')
        elif fault is Fault.THROTTLED_IN_THE_ANSWER and self.command == "POST":
            self.answer(200, b'{"RetCode": 153, "Message": "Request throttled"}')

    def do_GET(self) -> None:
        self.handle_any()

    def do_POST(self) -> None:
        self.handle_any()

    def answer(self, status: int, content: bytes, *, half: bool = False, again: str = "0") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", again)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if half else content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def flaky(upstream: str, faults: Iterable[Fault] = MIXED) -> Iterator[FlakyProxy]:
    with served(FlakyProxy(upstream, faults)) as proxy, proxy.upstream:
        yield proxy

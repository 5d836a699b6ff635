"""Floods: as many connections as some addresses may have, each of which comes again when it is cut off."""

import multiprocessing
import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Final

from tests.hostile.judgement import Findings, Outcome
from tests.hostile.live.service import Target
from tests.waiting import eventually

PER_ADDRESS: Final = 128
HALF_A_BODY: Final = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
)
AN_ANSWER: Final = b"GET /docs/viewer/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
FLOODS: Final = {
    "heads, renewed after a second": (8, HALF_A_BODY, 1.0),
    "answers that are not read": (8, AN_ANSWER, 1.0),
    "heads, renewed at once": (9, HALF_A_BODY, 0.0),
    "heads from two addresses": (2, HALF_A_BODY, 0.0),
}
"""Addresses, what each connection sends, and for how long one that was cut off stays away."""
_SPAWN: Final = multiprocessing.get_context("spawn")
_HOLD_SECONDS: Final = 12.0
"""More than a job of another account may take, and than a body may let wait for its first byte."""
_CONNECTIONS: Final = 1_000
"""Of a whole flood."""


@dataclass
class Flood:
    """Connections from some addresses."""

    port: int
    addresses: int
    sent: bytes
    pause_seconds: float

    def run(self, is_over: Event, opened: "Synchronized[int]") -> None:
        """Open them, and those again that are cut off, until it is over."""
        due = [(0.0, f"127.0.1.{number % self.addresses + 2}") for number in range(PER_ADDRESS * self.addresses)]
        with selectors.DefaultSelector() as selector:
            while not is_over.is_set():
                now = time.monotonic()
                ready, due = [one for one in due if one[0] <= now], [one for one in due if one[0] > now]
                for _, address in ready:
                    peer = socket.socket()
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
                    try:
                        peer.bind((address, 0))
                        peer.connect(("127.0.0.1", self.port))
                        peer.sendall(self.sent)
                    except OSError:
                        peer.close()
                        due.append((now + self.pause_seconds, address))
                    else:
                        selector.register(peer, selectors.EVENT_READ, address)
                        opened.value += 1
                due += [(now + self.pause_seconds, address) for address in self._ended(selector)]
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def _ended(self, selector: selectors.BaseSelector) -> Iterator[str]:
        """The addresses of those that are cut off; an answer is not read."""
        for key, _ in selector.select(0.05):
            assert isinstance(key.fileobj, socket.socket)
            try:
                is_over = not key.fileobj.recv(1, socket.MSG_PEEK) or self.sent is HALF_A_BODY
            except OSError:
                is_over = True
            if is_over:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                yield str(key.data)


@contextmanager
def flooded(port: int, kind: str) -> Iterator[Callable[[], int]]:
    """A flood for as long as the block lasts, from a process of its own; how many connections it has opened."""
    flood, is_over, opened = Flood(port, *FLOODS[kind]), _SPAWN.Event(), _SPAWN.Value("q", 0)
    process = _SPAWN.Process(target=flood.run, args=(is_over, opened))
    process.start()
    try:
        eventually(lambda: opened.value >= 0.9 * min(_CONNECTIONS, PER_ADDRESS * flood.addresses))
        yield lambda: opened.value
    finally:
        is_over.set()
        process.join()


def attack(target: Target, findings: Findings, chance: random.Random, count: int) -> None:
    """Send a flood for each thousand of connections: each kind in turn, from any one on."""
    kinds, first = list(FLOODS), chance.randrange(len(FLOODS))
    for number in range(max(1, count // _CONNECTIONS)):
        with flooded(target.port, kinds[(first + number) % len(kinds)]) as opened:
            time.sleep(_HOLD_SECONDS)
        findings.add_all(Outcome(number=each) for each in range(opened()))

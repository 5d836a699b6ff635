"""Ports for servers that tests start."""

import os
import socket
from collections.abc import Iterator
from typing import Final

OWN_ADDRESSES: Final[set[str]] = set()
"""Addresses that lead no further than this machine although they are not loopback's; who makes one adds it."""

FIRST_PORT = 20_000
PORTS_EACH = 1_500
"""For each process of a parallel run. All lie below those that systems give to connections, 32 768 and up."""


def _ports() -> Iterator[int]:
    """This process's own, one after the other: what one test has used is long free when its turn comes again."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw7").removeprefix("gw")) % 8
    first = FIRST_PORT + number * PORTS_EACH
    start = os.getpid() % PORTS_EACH
    while True:
        yield from (first + (start + step) % PORTS_EACH for step in range(PORTS_EACH))


_candidates = _ports()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, and that no other process of this run is given."""
    for port in _candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("there is always a next port")

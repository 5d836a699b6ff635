"""A relay between a client and a TCP server that can fall silent or hang up half way: what networks do."""

from __future__ import annotations

import math
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from urllib.parse import urlsplit

_CHUNK_BYTES: Final = 16_384
_LOOK_SECONDS: Final = 0.02


class Relay(socketserver.ThreadingTCPServer):
    """Passes on what it is sent, until it is told otherwise."""

    block_on_close = True

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.upstream = upstream
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.silent = threading.Event()
        """While set, connections are taken and nothing is passed on, in either direction."""
        self.hang_ups: list[int] = []
        """For each of the next connections that are made, after how many bytes of answers it is closed."""
        self.stopping = threading.Event()

    def budget(self) -> float:
        """How many bytes of answers a new connection may pass on."""
        return self.hang_ups.pop(0) if self.hang_ups else math.inf


class Passage(socketserver.BaseRequestHandler):
    """One connection and its bytes in both directions."""

    server: Relay
    request: socket.socket

    def handle(self) -> None:
        """Pass on until one side hangs up."""
        left_bytes = self.server.budget()
        with socket.create_connection(self.server.upstream) as upstream:
            upstream.sendall(self.opening())
            targets = {self.request: upstream, upstream: self.request}
            while left_bytes and not self.server.stopping.is_set():
                for source in select.select(list(targets), [], [], _LOOK_SECONDS)[0]:
                    data = source.recv(_CHUNK_BYTES)
                    if not data:
                        return
                    if self.server.silent.is_set():
                        continue
                    if source is upstream and len(data) >= left_bytes:
                        data, left_bytes = data[: int(left_bytes)], 0
                    elif source is upstream:
                        left_bytes -= len(data)
                    targets[source].sendall(data)

    def opening(self) -> bytes:
        """What goes to the server before all else."""
        return b""


R = TypeVar("R", bound=Relay)


@contextmanager
def relay_to(url: str | None) -> Iterator[Relay]:
    """Run a relay in front of a server, given as `http://<host>:<port>`."""
    upstream = urlsplit(url or "")
    assert upstream.hostname
    assert upstream.port
    with served(Relay((upstream.hostname, upstream.port))) as relay:
        yield relay


@contextmanager
def served(relay: R) -> Iterator[R]:
    """Run a relay as long as the block lasts."""
    with relay:
        thread = threading.Thread(target=relay.serve_forever, args=[_LOOK_SECONDS])
        thread.start()
        try:
            yield relay
        finally:
            relay.stopping.set()
            relay.shutdown()
            thread.join()

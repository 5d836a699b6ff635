"""A relay before a server that can fall silent, hang up half way or lose a reply: what networks do."""

import math
import select
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from typing_extensions import override

_CHUNK_BYTES: Final = 65_536
_LOOK_SECONDS: Final = 0.02
Address = tuple[str, int] | str
"""Host and port, or a unix socket's path."""


class Relay(socketserver.ThreadingTCPServer):
    """Passes on what it is sent, until it is told otherwise."""

    block_on_close = True
    request_queue_size = 128

    def __init__(self, upstream: Address, address: Address = ("127.0.0.1", 0)) -> None:
        self.address_family = _family(address)
        super().__init__(address, Passage)  # type: ignore[arg-type]  # typeshed knows no unix sockets here
        self.upstream = upstream
        self.url = (
            f"unix://{address}" if isinstance(address, str) else f"http://127.0.0.1:{self.server_address[1]}"
        )
        self.silent = threading.Event()
        """While set, connections are taken and nothing is passed on, in either direction."""
        self.hang_ups: list[int] = []
        """For each of the next connections that are made, after how many bytes of answers it is closed."""
        self.stopping = threading.Event()

    def budget(self) -> float:
        """How many bytes of answers a new connection may pass on."""
        return self.hang_ups.pop(0) if self.hang_ups else math.inf

    def passes(self, *, reply: bool) -> bool:
        """Whether the bytes at hand are passed on, once this returns; if not, both sides are hung up on."""
        return True

    @override
    def shutdown(self) -> None:
        self.stopping.set()
        super().shutdown()

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep silent about connections that break: that is what relays are for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class LossyRelay(Relay):
    """Loses one reply when it is told to: it hangs up instead of passing it on."""

    def __init__(self, upstream: Address, address: Address) -> None:
        super().__init__(upstream, address)
        self.lost_count = 0
        self._replies_until_loss = -1

    def lose_next_reply(self, after: int = 0) -> None:
        """Lose the next bytes that the server sends, or those after some more replies."""
        self._replies_until_loss = after

    @override
    def passes(self, *, reply: bool) -> bool:
        if not reply:
            return True
        self._replies_until_loss -= 1
        if self._replies_until_loss != -1:
            return True
        self.lost_count += 1
        return False


class Passage(socketserver.BaseRequestHandler):
    server: Relay
    request: socket.socket

    def handle(self) -> None:
        left_bytes = self.server.budget()
        with socket.socket(_family(self.server.upstream)) as upstream:
            upstream.connect(self.server.upstream)
            upstream.sendall(self.opening())
            targets = {self.request: upstream, upstream: self.request}
            while left_bytes > 0 and not self.server.stopping.is_set():
                for source in select.select(list(targets), [], [], _LOOK_SECONDS)[0]:
                    data, reply = source.recv(_CHUNK_BYTES), source is upstream
                    if not data or not self.server.passes(reply=reply):
                        return
                    if self.server.silent.is_set():
                        continue
                    if reply:
                        data = data[: int(min(left_bytes, len(data)))]
                        left_bytes -= len(data)
                    targets[source].sendall(data)

    def opening(self) -> bytes:
        """What goes to the server before all else."""
        return b""


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_UNIX if isinstance(address, str) else socket.AF_INET


S = TypeVar("S", bound=socketserver.BaseServer)


@contextmanager
def relay_to(url: str | None) -> Iterator[Relay]:
    """Run a relay in front of a server, given as `http://<host>:<port>`."""
    upstream = urlsplit(url or "")
    assert upstream.hostname
    assert upstream.port
    with served(Relay((upstream.hostname, upstream.port))) as relay:
        yield relay


@contextmanager
def lossy_relay(redis_url: str) -> Iterator[LossyRelay]:
    """Run a relay in front of a server with a `unix://` URL."""
    with (
        tempfile.TemporaryDirectory(prefix="cutgate-") as folder,
        served(LossyRelay(redis_url.removeprefix("unix://"), str(Path(folder, "relay.sock")))) as relay,
    ):
        yield relay


@contextmanager
def served(server: S) -> Iterator[S]:
    """Run any server in a thread as long as the block lasts."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=[_LOOK_SECONDS])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

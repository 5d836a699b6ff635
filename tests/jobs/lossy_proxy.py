"""Relays between clients and a server, and one that can lose a reply: what a broken connection does."""

from __future__ import annotations

import select
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from typing_extensions import override

_CHUNK_BYTES: Final = 65_536


class Proxy(socketserver.ThreadingUnixStreamServer):
    """Relays between unix sockets as long as it is not told to hang up."""

    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: Path, upstream: str) -> None:
        super().__init__(str(address), _Relay)
        self.upstream = upstream
        self.url = f"unix://{address}"

    def passes(self, *, reply: bool) -> bool:
        """Whether the bytes at hand are passed on, once this returns; if not, both sides are hung up on."""
        return True

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep silent: the relay ends, and so its connections do."""


class LossyProxy(Proxy):
    """Loses one reply when it is told to: it hangs up instead of passing it on."""

    def __init__(self, address: Path, upstream: str) -> None:
        super().__init__(address, upstream)
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


class _Relay(socketserver.BaseRequestHandler):
    server: Proxy
    request: socket.socket

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(self.server.upstream)
            targets = {self.request: upstream, upstream: self.request}
            while True:
                for source in select.select(list(targets), [], [])[0]:
                    data = source.recv(_CHUNK_BYTES)
                    if not data or not self.server.passes(reply=source is upstream):
                        return
                    targets[source].sendall(data)


P = TypeVar("P", bound=Proxy)


@contextmanager
def running(proxy: P) -> Iterator[P]:
    """Relay as long as the block lasts. Close the proxy's clients before it ends."""
    with proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=[0.02])
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


@contextmanager
def lossy_proxy(redis_url: str) -> Iterator[LossyProxy]:
    """Run a proxy in front of a server with a `unix://` URL. Close its clients before the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="cutgate-") as folder,
        running(LossyProxy(Path(folder, "proxy.sock"), redis_url.removeprefix("unix://"))) as proxy,
    ):
        yield proxy

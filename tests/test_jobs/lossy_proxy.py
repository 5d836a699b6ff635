"""A relay between a client and a server that can lose one reply: what a broken connection does."""

from __future__ import annotations

import select
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 65_536


class LossyProxy(socketserver.ThreadingUnixStreamServer):
    """Relays between unix sockets until it is told to lose a reply; then it hangs up instead of passing it on."""

    block_on_close = True

    def __init__(self, address: Path, upstream: str) -> None:
        super().__init__(str(address), _Relay)
        self.upstream = upstream
        self.url = f"unix://{address}"
        self.lost_count = 0
        self._replies_until_loss = -1

    def lose_next_reply(self, after: int = 0) -> None:
        """Lose the next bytes that the server sends, or those after some more replies."""
        self._replies_until_loss = after

    def loses_this_one(self) -> bool:
        """Whether the reply at hand is the one to lose."""
        self._replies_until_loss -= 1
        if self._replies_until_loss != -1:
            return False
        self.lost_count += 1
        return True


class _Relay(socketserver.BaseRequestHandler):
    server: LossyProxy
    request: socket.socket

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(self.server.upstream)
            targets = {self.request: upstream, upstream: self.request}
            while True:
                for source in select.select(list(targets), [], [])[0]:
                    data = source.recv(_CHUNK_BYTES)
                    if not data or (source is upstream and self.server.loses_this_one()):
                        return
                    targets[source].sendall(data)


@contextmanager
def lossy_proxy(redis_url: str) -> Iterator[LossyProxy]:
    """Run a proxy in front of a server with a `unix://` URL. Close its clients before the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="keycut-") as folder,
        LossyProxy(Path(folder, "proxy.sock"), redis_url.removeprefix("unix://")) as proxy,
    ):
        thread = threading.Thread(target=proxy.serve_forever, args=[0.02])
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()

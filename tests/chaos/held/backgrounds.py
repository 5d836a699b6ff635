"""A server of plain pictures, each of the colour and the size that its path says: `/a0b0c0`, `/a0b0c0?4000`."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from PIL import Image
from typing_extensions import override

from tests.servers.relay import served

_PAUSE_SECONDS: Final = 0.1
"""Before each answer: time in which faults meet the fetch."""
_SIDE_PX: Final = 16


@contextmanager
def backgrounds() -> Iterator[str]:
    """Serve as long as the block lasts; the server's URL."""
    with served(ThreadingHTTPServer(("127.0.0.1", 0), _Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    _over = threading.Event()

    def do_GET(self) -> None:
        self._over.wait(_PAUSE_SECONDS)
        file = io.BytesIO()
        path, _, side_px = self.path.partition("?")
        size_px = (int(side_px or _SIDE_PX),) * 2
        Image.new("RGB", size_px, tuple(bytes.fromhex(path[1:]))).save(file, "PNG")
        with suppress(ConnectionError):  # the courier is killed while it reads
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(file.getvalue())))
            self.end_headers()
            self.wfile.write(file.getvalue())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

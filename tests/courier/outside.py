"""Servers outside, which answer as a test wants it, and a look at every connection that this process makes."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from typing_extensions import override

from cutgate.courier.errors import HostRefused
from tests.servers.relay import served

Script = Callable[["Visit"], None]


@dataclass(frozen=True)
class Request:
    """What a server was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Visit(BaseHTTPRequestHandler):
    """One request; a script answers it."""

    protocol_version = "HTTP/1.1"
    server: OutsideServer

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sent = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.command, self.path, sent, body))
        self.close_connection = True
        script = self.server.scripts[self.path.partition("?")[0]]
        with suppress(ConnectionError, ssl.SSLError):  # a client that has heard enough
            script(self)

    def do_GET(self) -> None:
        self.handle_any()

    def do_POST(self) -> None:
        self.handle_any()

    def do_PUT(self) -> None:
        self.handle_any()

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send an answer that is as it should be, but for what `headers` say."""
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @property
    def stopping(self) -> threading.Event:
        return self.server.stopping


class OutsideServer(ThreadingHTTPServer):
    """Answers each path by its script, and keeps what it was sent."""

    block_on_close = True
    daemon_threads = False

    def __init__(self, host: str, scripts: Mapping[str, Script], port: int = 0) -> None:
        super().__init__((host, port), Visit)
        self.host, self.port = host, self.server_address[1]
        self.scripts = dict(scripts)
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._tls: ssl.SSLContext | None = None

    def with_tls(self, certificate: Path, key: Path) -> Self:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        return self

    @override
    def shutdown(self) -> None:
        self.stopping.set()
        super().shutdown()

    @override
    def get_request(self) -> tuple[Any, Any]:
        plain, address = super().get_request()
        if self._tls is None:
            return plain, address
        return self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hangs up, in TLS's handshake too, is none
            super().handle_error(request, client_address)

    def url(self, path: str = "/", *, scheme: str = "http", host: str | None = None) -> str:
        return f"{scheme}://{host or self.host}:{self.port}{path}"


serving = served


def picture(data: bytes, media_type: str = "image/png") -> Script:
    """Answers with a picture."""
    return lambda visit: visit.answer(200, data, {"Content-Type": media_type})


def redirect(location: str, status: int = 302) -> Script:
    return lambda visit: visit.answer(status, headers={"Location": location})


_WATCHES: list[list[object]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        for made in _WATCHES:
            made.append(arguments[1])


sys.addaudithook(_hook)


def is_not_public(error: HostRefused) -> bool:
    """Whether a host was refused for an address that it has, not for having none."""
    return error.reason == "address"


@contextmanager
def watched_connections() -> Iterator[list[object]]:
    """The addresses that anything in this process connects to, by whatever library, as they are added."""
    _WATCHES.append([])
    try:
        yield _WATCHES[-1]
    finally:
        _WATCHES.pop()

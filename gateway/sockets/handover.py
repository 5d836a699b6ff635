"""From a request thread to the sockets' thread: WSGI answers that take their connections away from the server.

The server has to cope with a socket that was detached: see `cutgate.gateway.serving.server`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from flask import Response
from typing_extensions import override
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SOCKET_KEY: Final = "gunicorn.socket"
"""Where the server puts the connection's socket."""
_HEADERS: Final = ("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
"""Extensions are not offered: a compressor costs a connection more memory than everything else of it."""


class TakenOver(Response):
    """In place of an answer, which whoever takes the connection sends."""

    def __init__(self, take: Callable[[socket.socket], None]) -> None:
        """Prepare; `take` is given the connection."""
        super().__init__()
        self._take = take

    @override
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._take(_taken(environ))
        # The server's way to be told that there is nothing left to answer on.
        raise StopIteration


class Handover(Response):
    """The answer to a request for a WebSocket; its connection is no longer the server's once it is sent."""

    def __init__(self, environ: WSGIEnvironment, take: Callable[[socket.socket, bytes], None]) -> None:
        """Judge a handshake.

        Args:
            environ: of the request.
            take: is given the connection, and what is to be sent on it first.
        """
        headers = Headers()
        for name in _HEADERS:
            value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            if value is not None:
                headers[name] = value
        request = Request("/", headers, environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"])
        answer = ServerProtocol().accept(request)
        self._take = take if answer.status_code == 101 and SOCKET_KEY in environ else None
        self._head = answer.serialize()
        if self._take is not None:
            super().__init__(status=101)
        else:
            kept = {name: value for name, value in answer.headers.raw_items() if name in {"Allow", "Upgrade"}}
            super().__init__(b"", 426 if answer.status_code == 101 else answer.status_code, kept)

    @override
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._take is None:
            return super().__call__(environ, start_response)
        self._take(_taken(environ), self._head)
        raise StopIteration  # as above


def _taken(environ: WSGIEnvironment) -> socket.socket:
    held: socket.socket = environ[SOCKET_KEY]
    return socket.socket(held.family, held.type, held.proto, fileno=held.detach())

"""Answers to requests for a WebSocket: their connections get another protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flask import Response
from typing_extensions import override
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from cutgate.gateway.waiting.later import Peer, Undone

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_HEADERS: Final = ("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
"""Extensions are not offered: a compressor costs a connection more memory than everything else of it."""


class Upgrade(Undone):
    """A handshake that is right; its connection is no longer uvicorn's once it is answered."""

    def __init__(self, head: bytes, take: Callable[[asyncio.Transport, bytes], None]) -> None:
        """Prepare; `take` is given the connection, and what is to be sent on it first."""
        super().__init__(status=101)
        self._head, self._take = head, take

    @override
    async def go_on(self, peer: Peer) -> None:
        transport = peer.hand_over()
        if transport is not None:
            self._take(transport, self._head)


def upgrade(environ: WSGIEnvironment, take: Callable[[asyncio.Transport, bytes], None]) -> Response:
    """Judge a handshake, and answer it.

    Args:
        environ: of the request.
        take: is given the connection on the event loop, and what is to be sent on it first.
    """
    headers = Headers()
    for name in _HEADERS:
        value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        if value is not None:
            headers[name] = value
    request = Request("/", headers, environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"])
    answer = ServerProtocol().accept(request)
    if answer.status_code == 101:
        return Upgrade(answer.serialize(), take)
    kept = {name: value for name, value in answer.headers.raw_items() if name in {"Allow", "Upgrade"}}
    return Response(b"", answer.status_code, kept)

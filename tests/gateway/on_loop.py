"""Two ways to drive the application: Flask's test client, and the server itself."""

import asyncio
import math
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import IO, Any

from flask import Flask
from flask.testing import FlaskClient
from typing_extensions import override
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from cutgate.gateway.bodies import BODY, BodyWanted, Inbox, Spool, Unread
from cutgate.gateway.serving.server import GatewayServer
from cutgate.gateway.waiting.later import AT_END, UNDONE
from cutgate.jobs.errors import ServiceUnavailable


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One for all applications of the tests, in a thread of its own."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, daemon=True, name="test-loop").start()
    return made


class Peer:
    """A caller that waits for as long as it takes."""

    is_lost = False

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()

    def hand_over(self) -> asyncio.Transport | None:
        """It is no connection."""
        return None


def new_spool(told_bytes: int = 0) -> Spool:
    """A body of which nothing has come."""
    return Spool(Inbox(2**40), None, told_bytes, lambda: None)


def receive(spool: Spool, stream: IO[bytes], most_bytes: float = math.inf) -> None:
    """Receive a body as the server does."""
    try:
        while not spool.is_whole and spool.size_bytes <= most_bytes:
            part = stream.read(2**16)
            spool.add(part)
            spool.is_whole = not part
    except ServiceUnavailable as error:
        spool.fault = error


class LoopClient(FlaskClient):
    """A client of an application that has its loop. A view that reads a body is called again when it has come."""

    @override
    def run_wsgi_app(
        self, environ: dict[str, Any], buffered: bool = False
    ) -> tuple[Iterable[bytes], str, Headers]:
        stream = environ["wsgi.input"]
        spool = new_spool(int(environ.get("CONTENT_LENGTH") or 0))
        environ |= {BODY: spool, "wsgi.input": Unread(spool), "wsgi.input_terminated": True}
        with ExitStack() as at_end:
            at_end.callback(spool.close)
            environ[AT_END] = at_end
            try:
                return self._run(environ, buffered)
            except BodyWanted as wanted:
                receive(spool, stream, wanted.limit_bytes or math.inf)
                environ["wsgi.input"] = spool.open() if spool.is_whole else Unread(spool)
                return self._run(environ, buffered)

    def _run(self, environ: dict[str, Any], buffered: bool) -> tuple[Iterable[bytes], str, Headers]:
        seen = environ

        def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            nonlocal seen
            seen = environ  # a copy
            return self.application(environ, start)

        try:
            answer = run_wsgi_app(app, environ, buffered=buffered)
        finally:
            environ |= {name: value for name, value in seen.items() if name.startswith("cutgate.")}
        if (undone := environ.pop(UNDONE, None)) is None:
            return answer
        made = asyncio.run_coroutine_threadsafe(undone.go_on(Peer()), loop()).result()
        return run_wsgi_app(made, environ, buffered=buffered)


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application until the block ends; yields host and port."""
    with serving(app) as (address, _):
        yield address


@contextmanager
def serving(app: Flask, **changes: Any) -> Iterator[tuple[str, GatewayServer]]:
    """Serve an application until the block ends; yields host and port, and the server."""
    settings = app.config["SETTINGS"].model_copy(update={"shutdown_seconds": 2} | changes)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        server = GatewayServer(app, settings)
        thread = threading.Thread(target=server.run, args=[[listener]])
        thread.start()
        try:
            yield address, server
        finally:
            server.should_exit = True
            thread.join()

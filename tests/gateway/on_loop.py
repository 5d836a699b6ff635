"""Flask's test client with what the server does beside: bodies that have come, and answers that come later."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cache
from typing import Any

from flask.testing import FlaskClient
from typing_extensions import override
from werkzeug.test import run_wsgi_app

from cutgate.gateway.bodies import BODY, Inbox, Spool
from cutgate.gateway.waiting.later import AT_END, UNDONE


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


def spooled(body: bytes) -> Spool:
    """A body that has come whole."""
    spool = Spool(Inbox(2**40), None, len(body), lambda: None)
    spool.add(body)
    spool.is_whole = True
    return spool


class LoopClient(FlaskClient):
    """A client of an application that has its loop."""

    @override
    def run_wsgi_app(self, environ: dict[str, Any], buffered: bool = False) -> tuple[Iterable[bytes], str, Any]:
        with ExitStack() as at_end:
            environ[AT_END] = at_end
            if body := environ["wsgi.input"].read():
                environ[BODY] = spooled(body)
                environ["wsgi.input"] = environ[BODY].open()
            answer = super().run_wsgi_app(environ, buffered=buffered)
            if (undone := environ.pop(UNDONE, None)) is None:
                return answer
            app = asyncio.run_coroutine_threadsafe(undone.go_on(Peer()), loop()).result()
            return run_wsgi_app(app, environ, buffered=buffered)

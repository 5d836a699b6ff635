"""Answers that are made after their views have returned."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Protocol

from flask import Response, current_app, request
from typing_extensions import override

from cutgate.gateway.observe.request_log import PostponedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

UNDONE: Final = "cutgate.undone"
"""Name in a request's environment of what is to be done on the event loop in place of an answer."""
STREAM: Final = "cutgate.stream"
"""Name in a request's environment of what makes the parts of its answer on the event loop."""
AT_END: Final = "cutgate.at-end"
"""Name of the `ExitStack` that is closed once the request is answered, or its caller is gone."""


class Peer(Protocol):
    """The connection of a caller that waits."""

    @property
    def hung_up(self) -> asyncio.Event:
        """Set once the peer has hung up; it may read all the same, if it has only shut its own side down."""

    @property
    def is_lost(self) -> bool:
        """Whether nothing can reach the peer any more."""

    def hand_over(self) -> asyncio.Transport | None:
        """Give the connection to another protocol; None if it is gone."""


class Undone(Response):
    """In place of an answer, which comes of work on the event loop."""

    @override
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[UNDONE] = self
        start_response(self.status, [])
        return ()

    async def go_on(self, peer: Peer) -> WSGIApplication | None:
        """Do that work, and give what answers, in a request thread; None if nobody is to be answered."""
        raise NotImplementedError


Make = Callable[[], Response]


class Later(Undone):
    """The answer to the present request, once something was waited for."""

    def __init__(self, wait: Callable[[Peer], Awaitable[Make]]) -> None:
        """Postpone the present request, without its body.

        Args:
            wait: gives what makes the answer. That is called in a request context of its own, with the request's
                head and what `flask.g` held; what it raises is answered as if the view did. It should hold on to
                nothing large.
        """
        super().__init__()
        self._wait = wait
        self._app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 — Flask's own way
        self._kept = PostponedRequest.of_present()

    @override
    async def go_on(self, peer: Peer) -> WSGIApplication:
        self._kept.bind()
        make = await self._wait(peer)

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ |= {"CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO()}
            with self._app.request_context(environ):
                self._kept.go_on()
                try:
                    made = make()
                except Exception as error:
                    made = self._app.handle_user_exception(error)  # as `Flask` itself does
                response = self._app.finalize_request(made)
                return response(environ, start_response)  # type: ignore[no-any-return]

        return answer


def at_end() -> ExitStack:
    """What is closed at the end of the present request, also of one that is answered later."""
    stack = request.environ[AT_END]
    assert isinstance(stack, ExitStack)
    return stack

"""Requests whose views have returned, and whose answers are made later: in another thread, and sent by hand."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from flask import Flask, Response, current_app, request

from cutgate.gateway.observe.request_log import PostponedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PART_BYTES: Final = 2**18
"""What of an answer lies in memory while its caller reads; a longer one that no file holds gets one meanwhile."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """A request without its body, which may be long, and whose reader belongs to the server."""

    app: Flask
    environ: WSGIEnvironment
    kept: PostponedRequest

    @classmethod
    def present(cls) -> Postponed:
        """Postpone the present request: it is told of when it is answered."""
        head = {name: value for name, value in request.environ.items() if isinstance(value, str | tuple)}
        return cls(
            app=current_app._get_current_object(),  # type: ignore[attr-defined]  # noqa: SLF001 — Flask's own way
            environ={**head, "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO()},
            kept=PostponedRequest.of_present(),
        )

    def answer(self, make: Callable[[], Response]) -> Generator[bytes]:
        """What is to be sent, in parts, after which the connection is closed.

        Args:
            make: makes the answer in a request context of its own. What it raises is answered as if a view did.
        """
        with self.app.request_context(self.environ):
            self.kept.go_on()
            try:
                made = make()
            except Exception as error:
                made = self.app.handle_user_exception(error)  # type: ignore[assignment]  # as `Flask` itself does
            return _parts(self.app.finalize_request(made), self.environ)


def _parts(answer: Response, environ: WSGIEnvironment) -> Generator[bytes]:
    """Head and body, on one thread at a time."""
    body, status, headers = answer.get_wsgi_response(environ)
    headers = [*headers, ("Date", formatdate(usegmt=True)), ("Connection", "close")]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    yield "\r\n".join(lines).encode("latin-1")
    try:
        yield from _gathered(body if answer.is_streamed else _spooled(body))
    finally:
        answer.close()


def _spooled(body: Iterable[bytes]) -> Iterator[bytes]:
    """A body that lies in memory, out of a file if it is long."""
    file: IO[bytes]
    with tempfile.SpooledTemporaryFile(PART_BYTES) as file:
        file.writelines(body)
        file.seek(0)
        yield from iter(partial(file.read, PART_BYTES), b"")


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same in parts of a size that is worth a change of threads."""
    gathered = bytearray()
    for block in blocks:
        gathered += block
        if len(gathered) >= PART_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)

"""One call of a WSGI application: what it is given of an ASGI request, and what it says."""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from werkzeug.wsgi import FileWrapper

from cutgate.gateway.bodies import BodyWanted
from cutgate.gateway.waiting.later import STREAM, UNDONE, Peer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from uvicorn._types import HTTPScope

PART_BYTES: Final = 2**16
"""What of a long answer lies in memory while its caller reads."""
EMPTY: Final = io.BytesIO()
_LENGTH: Final = b"content-length"


@dataclass(slots=True)
class Answer:
    """What a WSGI application says."""

    status: int
    headers: list[tuple[bytes, bytes]]
    first: bytes
    """All of it, or its first part."""
    parts: Iterator[bytes] | None
    """The rest, to be asked for in threads."""
    close: Callable[[], None]
    stream: Callable[[Peer], AsyncGenerator[bytes, None]] | None = None
    """Makes the rest on the event loop, where it comes from there."""


def environ_of(scope: HTTPScope) -> dict[str, Any]:
    """A request's head as WSGI has it."""
    raw_path = scope["raw_path"] or b""
    host, port = scope["server"] or ("", None)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": EMPTY,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _parts_of_file,
    }
    for name, value in scope["headers"]:
        key = _variable(name)
        if key is not None:
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


@lru_cache(512)
def _variable(name: bytes) -> str | None:
    """What WSGI calls a header; None for one that could be taken for another."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def said(app: WSGIApplication, environ: WSGIEnvironment) -> Answer | BodyWanted:
    """Call an application, and take the first part of its answer."""
    head: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], None]:
        raw = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]
        head[:] = int(status[:3]), raw
        return _no_writing

    try:
        blocks = app(environ, start)
    except BodyWanted as wanted:
        return wanted
    close = getattr(blocks, "close", _nothing)
    if UNDONE in environ:
        return Answer(HTTPStatus.ACCEPTED, [], b"", None, close)
    if stream := environ.pop(STREAM, None):
        status, headers = head
        return Answer(status, headers, b"", None, close, stream)
    try:
        parts = _gathered(blocks)
        first = next(parts, b"")
    except BaseException:
        close()
        raise
    status, headers = head
    is_whole = len(first) < PART_BYTES or (_LENGTH, b"%d" % len(first)) in headers
    return Answer(status, headers, first, None if is_whole else parts, close)


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """An answer in parts that are worth a change of threads; one that is shorter is the last."""
    some: list[bytes] = []
    size_bytes = 0
    for block in blocks:
        some.append(block)
        size_bytes += len(block)
        if size_bytes >= PART_BYTES:
            yield some[0] if len(some) == 1 else b"".join(some)
            some, size_bytes = [], 0
    if some:
        yield some[0] if len(some) == 1 else b"".join(some)


def _parts_of_file(file: IO[bytes], _: int = 0) -> FileWrapper:
    return FileWrapper(file, PART_BYTES)


def _nothing() -> None:
    pass


def _no_writing(_: bytes) -> None:
    raise NotImplementedError("Flask does not use it")

"""Fetches a picture from a URL, by way of redirects that are checked one by one."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Final

import httpx

from cutgate.courier.connection import Deadline, Outside
from cutgate.courier.errors import BodyTooLarge, ExchangeRefused, PeerFailed

MAX_REDIRECTS: Final = 5
MEDIA_TYPES: Final = ("image/*", "application/octet-stream", "binary/octet-stream")
"""What an answer may say that it is, in lower case; the bytes decide."""
MEMORY_BYTES: Final = 512 * 2**20
"""What all fetches of a courier may hold together."""
FIRST_SECONDS: Final = 15.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 429})
"""Beside all from 500 on: what a server says that may answer otherwise later."""
_HEADERS: Final = {"Accept": "image/*, */*;q=0.1"}


class MemoryBudget:
    """Bytes that all fetches of a process may hold together."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes
        self._lock = threading.Lock()

    @contextmanager
    def taking(self) -> Iterator[Callable[[int], None]]:
        """Hand out what takes further bytes; they are given back at the block's end.

        Raises:
            PeerFailed: in the block, when there are none left.
        """
        taken_bytes = 0

        def take(size_bytes: int) -> None:
            nonlocal taken_bytes
            with self._lock:
                if size_bytes > self._left_bytes:
                    raise PeerFailed("busy", "the courier holds as many pictures in memory as it may")
                self._left_bytes -= size_bytes
            taken_bytes += size_bytes

        try:
            yield take
        finally:
            with self._lock:
                self._left_bytes += taken_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Brings the bytes behind a URL, within limits."""

    outside: Outside
    max_bytes: int
    total_seconds: float
    first_seconds: float = FIRST_SECONDS
    """Time of a first try: most servers that are slow then do no better for being waited for."""
    memory: MemoryBudget

    def fetch(self, url: str, attempt: int = 1) -> bytes:
        """Fetch a URL whole.

        Raises:
            ExchangeFailed: a subclass says why, and whether another try can help.
        """
        deadline = Deadline(self.first_seconds if attempt == 1 else self.total_seconds)
        visited = [url]
        while len(visited) <= MAX_REDIRECTS + 1:
            with self.outside.exchange("GET", visited[-1], deadline, headers=_HEADERS) as answer:
                if answer.status_code not in _REDIRECTS:
                    return self._body(answer)
                visited.append(_next(visited, answer))
        raise ExchangeRefused("redirect", f"the URL leads to more than {MAX_REDIRECTS} redirects")

    def _body(self, answer: httpx.Response) -> bytes:
        if answer.status_code != HTTPStatus.OK:
            status = answer.status_code
            failure = PeerFailed if status in _PASSING or status >= 500 else ExchangeRefused
            raise failure("status", f"the server answers HTTP {status}")
        if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise ExchangeRefused("encoding", "the answer is compressed")
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type and not any(fnmatchcase(media_type, pattern) for pattern in MEDIA_TYPES):
            raise ExchangeRefused("media_type", "the answer's media type is not a picture's")
        stated = answer.headers.get("Content-Length", "")
        if stated.isdecimal() and int(stated) > self.max_bytes:
            raise BodyTooLarge(int(stated), self.max_bytes)
        data = bytearray()
        with self.memory.taking() as take:
            for piece in answer.iter_raw():
                take(len(piece))
                data += piece
                if len(data) > self.max_bytes:
                    raise BodyTooLarge(len(data), self.max_bytes)
        return bytes(data)


def _next(visited: Sequence[str], answer: httpx.Response) -> str:
    """Where a redirect leads; its URL is checked when it is called."""
    here = httpx.URL(visited[-1])
    try:
        there = here.join(answer.headers["Location"])
    except (KeyError, httpx.InvalidURL, ValueError):
        raise ExchangeRefused("redirect", "a redirect leads nowhere") from None
    if here.scheme == "https" and there.scheme == "http":
        raise ExchangeRefused("redirect", "a redirect leads from https to http")
    if str(there) in visited:
        raise ExchangeRefused("redirect", "the redirects lead in a circle")
    return str(there)

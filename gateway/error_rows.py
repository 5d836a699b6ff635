"""Tables of errors that name a class once: its subclasses share its row unless they have their own."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final, TypeVar

from cutgate.jobs.errors import CutoutError

R = TypeVar("R")

_RETRY_SECONDS: Final = 2
"""When a repeat may help where nobody knows: a part is down, or a place is taken."""


def row_of(kind: type[Exception], rows: Mapping[type[Exception], R], default: R) -> R:
    """The row of a class, or of its nearest base that has one."""
    return next((rows[base] for base in kind.__mro__ if base in rows), default)


def retry_seconds(error: Exception) -> int:
    """After how many seconds a repeat may help: a rate knows when it frees, a full queue its pace."""
    return getattr(error, "retry_after_seconds", None) or _RETRY_SECONDS


def retry_after(status: int, error: Exception) -> Mapping[str, str]:
    """The headers that say when to try again, where that helps."""
    return {"Retry-After": str(retry_seconds(error))} if is_passing(status) else {}


def is_passing(status: int) -> bool:
    """Whether trying again later helps where an error has this HTTP status, so that the answer says when."""
    return status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


def _tree(root: type[CutoutError]) -> Iterator[type[CutoutError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _tree(kind)


_BY_KIND: Final = {error.kind: error for error in _tree(CutoutError)}


def class_of(kind: str) -> type[CutoutError]:
    """The class of a recorded error; a kind that a newer worker wrote reads as the plain `CutoutError`."""
    return _BY_KIND.get(kind, CutoutError)

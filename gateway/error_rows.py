"""Tables of errors that name a class once: its subclasses share its row unless they have their own."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

R = TypeVar("R")


def row_of(kind: type[Exception], rows: Mapping[type[Exception], R], default: R) -> R:
    """The row of a class, or of its nearest base that has one."""
    return next((rows[base] for base in kind.__mro__ if base in rows), default)


def spelt_out(rows: Mapping[type[Exception], R]) -> dict[type[Exception], R]:
    """The row of each class in a table and of each subclass that exists now, in the order of the bases."""
    return {kind: row_of(kind, rows, rows[base]) for base in rows for kind in _with_subclasses(base)}


def _with_subclasses(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for kind in base.__subclasses__():
        yield from _with_subclasses(kind)

"""Which errors of the program a row of a table stands for."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from cutgate.gateway.accounts.rates import TooOften
from cutgate.jobs.errors import CutoutError, TimedOut
from docs.manual.markdown import summaries

R = TypeVar("R")
Kinds = list[type[Exception]]


def leaves(root: type[Exception]) -> Iterator[type[Exception]]:
    """The errors below one that are raised, and not only what others are caught by."""
    children = root.__subclasses__()
    if not children or root is TimedOut:
        yield root
    for child in children:
        yield from leaves(child)


def by_row(row_of: Callable[[type[Exception]], R]) -> dict[R, Kinds]:
    """What a request or a task can run into, by its row in a table."""
    grouped: dict[R, Kinds] = {}
    for root in (TooOften, CutoutError):
        for kind in leaves(root):
            grouped.setdefault(row_of(kind), []).append(kind)
    return grouped


def when(keys: Iterable[str], said: Mapping[str, str], raised: Mapping[str, Kinds]) -> str:
    """When a request is refused by one of some rows: what is said of a row's key, and of its errors."""
    texts = [text for key in keys for text in (said.get(key, ""), *_docstrings(key, raised))]
    return " ".join(dict.fromkeys(filter(None, texts)))


def _docstrings(key: str, raised: Mapping[str, Kinds]) -> list[str]:
    return [] if key == "fault" else [summaries([kind]) for kind in raised.get(key, [])]

"""A bounded memory of what was found last."""

from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

MAX_NAMES: Final = 10_000
"""What one memory holds; then the oldest is forgotten."""

V = TypeVar("V")


class Recent(Generic[V]):
    """Values by name, for several threads."""

    def __init__(self) -> None:
        self._values: dict[str, V] = {}
        self._lock = Lock()

    def get(self, name: str) -> V | None:
        """The value that was set last; None where there is none, or not any more."""
        return self._values.get(name)

    def set(self, name: str, value: V) -> None:
        """Set a value, as the newest."""
        with self._lock:
            self._values.pop(name, None)
            self._values[name] = value
            if len(self._values) > MAX_NAMES:
                del self._values[next(iter(self._values))]


class Decoded(Generic[V]):
    """What records stand for, by name: kept for as long as the records are what they were."""

    def __init__(self, decode: Callable[[str, tuple[str, str]], V]) -> None:
        """Use what makes a value of a name and its records."""
        self._decode = decode
        self._known = Recent[tuple[tuple[str, str], V]]()

    def of(self, name: str, records: tuple[str, str]) -> V:
        """The value of records."""
        known = self._known.get(name)
        if known is None or known[0] != records:
            known = records, self._decode(name, records)
            self._known.set(name, known)
        return known[1]

    def last(self, name: str) -> V | None:
        """The value that was asked for last under a name."""
        known = self._known.get(name)
        return None if known is None else known[1]

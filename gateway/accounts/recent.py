"""A bounded memory of what was found last."""

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

"""Who in this process waits for which event."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class Waiter:
    """Listens for news from the moment it was made."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Say that there is news."""
        self._rung.set()

    def wait(self, timeout_seconds: float) -> bool:
        """Block until there is news; False when there was none in time.

        News can be lost with a connection: look into the ledger after waiting, and wait in steps of a second.
        """
        rung = self._rung.wait(timeout_seconds)
        # What rings between the two lines is not lost: it had happened before the caller looks into the ledger.
        self._rung.clear()
        return rung


class Waiters:
    """Passes news on a channel on to everybody who waits there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: defaultdict[str, set[Waiter]] = defaultdict(set)
        self._followers: tuple[Callable[[str], None], ...] = ()

    def follow(self, heard: Callable[[str], None]) -> None:
        """Pass on all news from now on."""
        with self._lock:
            self._followers = (*self._followers, heard)

    @contextmanager
    def listen(self, channels: Sequence[str]) -> Iterator[Waiter]:
        """Pass on the news of some channels as long as the block lasts."""
        bell = Waiter()
        with self._lock:
            for channel in channels:
                self._bells[channel].add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                for channel in set(channels):
                    self._bells[channel].discard(bell)
                    if not self._bells[channel]:
                        del self._bells[channel]

    def tell(self, channel: str) -> None:
        """Say that there is news."""
        with self._lock:
            for bell in self._bells.get(channel, ()):
                bell.ring()
            followers = self._followers
        for heard in followers:
            heard(channel)

    def __len__(self) -> int:
        """How many channels are waited on."""
        with self._lock:
            return len(self._bells)

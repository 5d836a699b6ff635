"""Who in this process waits for news of which task."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from typing_extensions import override

from jobs.events import Waiter
from jobs.ids import TaskUid


class _Bell(Waiter):
    """Rings once for all the news since it was last heard."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    @override
    def wait(self, timeout_seconds: float) -> bool:
        rung = self._rung.wait(timeout_seconds)
        # What rings between the two lines is not lost: its item had ended before the caller reads the record.
        self._rung.clear()
        return rung


class Waiters:
    """Passes news of a task on to everybody who waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: defaultdict[TaskUid, set[_Bell]] = defaultdict(set)
        self._followers: tuple[Callable[[TaskUid], None], ...] = ()

    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        """Pass on all news from now on."""
        with self._lock:
            self._followers = (*self._followers, heard)

    @contextmanager
    def listen(self, uids: Sequence[TaskUid]) -> Iterator[Waiter]:
        """Pass on the news of some tasks as long as the block lasts."""
        bell = _Bell()
        with self._lock:
            for uid in uids:
                self._bells[uid].add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                for uid in set(uids):
                    self._bells[uid].discard(bell)
                    if not self._bells[uid]:
                        del self._bells[uid]

    def tell(self, uid: TaskUid) -> None:
        """Say that an item of a task has ended."""
        with self._lock:
            for bell in self._bells.get(uid, ()):
                bell.ring()
            followers = self._followers
        for heard in followers:
            heard(uid)

    def __len__(self) -> int:
        """How many tasks are waited for."""
        with self._lock:
            return len(self._bells)

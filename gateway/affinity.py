"""The threads of a process on one processor at a time.

Only one thread of a process runs Python. Where the system spreads the threads, the interpreter goes from one
processor to another, each time to cold caches, and threads are woken only to find it taken again. On one processor
a small request costs an eighth to a quarter less, and more pass in a second (benchmarks/results/gateway.md).

Which processor, the system decides: every few seconds the main thread may run anywhere for a moment, and the
others follow it to where it is then. So processes that know nothing of each other do not meet for long. Those of
one gateway stay apart as long as there are enough processors.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOOKS: Final = (4, 8)
"""After so many looks at least, and at most, the main thread is let loose for one; processes that were started
together do so at different times."""


class ThreadAffinity:
    """Keeps the threads of this process together, where the system knows of affinity and there is a choice."""

    def __init__(self) -> None:
        """Begin, in the main thread."""
        self._allowed = _allowed()
        self._looks_left = 1
        self._home: AbstractSet[int] | None = None
        self._apart: set[int] = set()

    def look(self) -> None:
        """Let the main thread, which calls this every half second or so, loose; or have the others follow it."""
        if len(self._allowed) < 2:
            return
        self._looks_left -= 1
        if self._looks_left == 0:
            _bind(0, self._allowed)
        elif self._looks_left < 0:
            self._looks_left = random.randint(*_LOOKS)  # noqa: S311 — no secret
            self._home = {_free_processor(self._allowed)}
            for task in Path("/proc/self/task").iterdir():
                if (thread := int(task.name)) not in self._apart:
                    _bind(thread, self._home)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let the calling thread run anywhere: for work of which much is done without the interpreter."""
        if self._home is None:
            yield
            return
        thread = threading.get_native_id()
        self._apart.add(thread)
        _bind(thread, self._allowed)
        try:
            yield
        finally:
            self._apart.discard(thread)
            _bind(thread, self._home)


def _allowed() -> AbstractSet[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else frozenset()


def _free_processor(allowed: AbstractSet[int]) -> int:
    """The one that the main thread, the caller, is on, or one with fewer of this process's elder siblings."""
    here = _processor_of(os.getpid())
    taken: Counter[int] = Counter()
    with suppress(OSError):  # a sibling has ended, or the system does not tell
        parent = os.getppid()
        siblings = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
        taken.update(_processor_of(pid) for pid in map(int, siblings) if pid < os.getpid())
    return min(allowed, key=lambda processor: (taken[processor], processor != here))


def _processor_of(pid: int) -> int:
    """Where the main thread of a process was last: field 39 of proc_pid_stat(5)."""
    _, _, fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")
    return int(fields.split()[36])


def _bind(thread: int, processors: AbstractSet[int]) -> None:
    """Have a thread, or with 0 the calling one, run on these alone."""
    with suppress(OSError):  # it has ended, the system forbids it, or the container has lost those processors
        os.sched_setaffinity(thread, processors)

"""The worker's main process beside Celery: it watches its child, and keeps the ledger in order.

Celery's pool holds one child and replaces it when it dies, hangs or grows too large. Whatever ended it: before the
next one exists the parent takes back what the last one held.
"""

import os
import secrets
import signal
import socket
import threading
import time
from contextlib import ExitStack
from typing import Final, Self

import structlog
from billiard import active_children

from cutgate.jobs.answers import owner_name
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import CHILDREN_GONE, ITEMS_TAKEN_BACK
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.upkeep.background import Call, upkeep_threads
from cutgate.jobs.upkeep.loops import Every
from cutgate.worker.process.concurrency import Deadlines
from cutgate.worker.process.metrics import CHILD
from cutgate.worker.settings import WorkerSettings

log = structlog.get_logger(__name__)

RELEASE_SECONDS: Final = 1.0
"""How often a child is seen to again that died while the ledger was away."""
WATCH_SECONDS: Final = 0.5
"""How often a child that works on several items is looked at."""
HANG_MARGIN_SECONDS: Final = 2
"""From an item's hard deadline to the end of a child that does not let go of it."""
IDLE_SECONDS: Final = 3.0
"""How long a child may have nothing to do, once it is to end, and not have ended."""
QUIET_SECONDS: Final = 5.0
"""How long a fork waits for the parent's threads to be at rest."""


class Parent:
    """Names its children, buries them, and does the upkeep while they work."""

    def __init__(self, settings: WorkerSettings, store: Ledger, blobs: BlobStore, deadlines: Deadlines) -> None:
        self._settings, self._store, self._blobs, self._deadlines = settings, store, blobs, deadlines
        self._open = ExitStack()
        self._count = 0
        # Two machines may have one name, and containers all begin with process 1.
        self._token = secrets.token_hex(4)
        self._living: str | None = None
        self._unreleased: dict[str, bool] = {}
        self._releasing = threading.Lock()
        self._stopping: threading.Thread | None = None
        self._ended = threading.Event()

    @property
    def owner(self) -> str:
        """The name of the present child, which it inherits: it claims and announces itself by it."""
        if self._living is None:
            raise RuntimeError("no child was started")
        return self._living

    def before_child(self, **_: object) -> None:
        """Bury the last child, if there was one, and name the next. Celery calls it before each fork."""
        self._child_gone(died=True)
        self._count += 1
        self._living = owner_name(socket.gethostname(), f"{os.getpid()}.{self._count}.{self._token}")

    def ready(self, **_: object) -> None:
        """Start the threads. Celery calls it after the first fork: a child should inherit none."""
        self._open.enter_context(
            Every(RELEASE_SECONDS, HeldDuringFork(self._release_claims_of_dead), "claims of the dead")
        )
        if len(self._deadlines) > 1:
            # Held off at a fork for one more reason: it must not end the child that takes a hanging one's place.
            self._open.enter_context(Every(WATCH_SECONDS, HeldDuringFork(self._end_hanging), "watch"))
        self._open.enter_context(upkeep_threads(self._settings, self._store, self._blobs, wrap=HeldDuringFork))

    def stopping(self, **_: object) -> None:
        """Let the running item finish, but not for ever. Celery calls it from its signal handler."""
        if self._stopping is None:
            self._stopping = threading.Thread(target=self._await_end, name="stop", daemon=True)
            self._stopping.start()

    def _await_end(self) -> None:
        """Wait for the child, which Celery ends once its item has; then end it.

        A hint that comes in the same moment as the signal may never reach the child, and Celery waits for it to be
        followed for ever.
        """
        now_seconds = time.monotonic()
        grace_ends_at, idle_ends_at = now_seconds + self._settings.stop_grace_seconds, now_seconds + IDLE_SECONDS
        while now_seconds < min(grace_ends_at, idle_ends_at):
            if self._ended.wait(min(WATCH_SECONDS, grace_ends_at - now_seconds)):
                return
            now_seconds = time.monotonic()
            if self._deadlines.any():
                idle_ends_at = now_seconds + IDLE_SECONDS
        log.warning("stop_grace_over", seconds=self._settings.stop_grace_seconds, idle=not self._deadlines.any())
        _kill_children()
        self._child_gone(died=False)

    def _end_hanging(self) -> None:
        """End a child that holds an item past its time. Celery sees that, and has the next one made.

        Its own limit is for tasks, and with several items at once a task ends before its item.
        """
        if self._deadlines.overdue(HANG_MARGIN_SECONDS):
            log.warning("child_hangs")
            self._deadlines.clear_all()
            _kill_children()

    def _child_gone(self, *, died: bool) -> None:
        if self._living is not None:
            metrics.process_gone(CHILD)
            metrics.count(CHILDREN_GONE, end="died" if died else "stopped")
            self._unreleased[self._living] = died
            self._living = None
        try:
            self._release_claims_of_dead()
        except LedgerUnavailable as error:
            log.warning("burial_waits", message=error.message)

    def _release_claims_of_dead(self) -> None:
        """Take back what dead children held, and their presence."""
        with self._releasing:
            for owner, died in list(self._unreleased.items()):
                taken = self._store.claims.give_back_owned(owner, died=died)
                self._store.presence.leave(owner)
                del self._unreleased[owner]
                metrics.count(ITEMS_TAKEN_BACK, taken)
                log.info("child_gone", owner=owner, died=died, items=taken)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads and bury the last child, which Celery has ended by now."""
        self._ended.set()
        self._open.close()
        self._child_gone(died=False)


def _kill_children() -> None:
    for child in active_children():
        os.kill(child.pid, signal.SIGKILL)


class HeldDuringFork:
    """A call for a thread of a process that forks: no fork falls into it.

    A child would inherit the locks that the thread holds, and not the thread that frees them. A call that takes
    longer than `QUIET_SECONDS` does not keep the fork waiting.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._held = False
        os.register_at_fork(before=self._hold, after_in_parent=self._free, after_in_child=self._free)

    def __call__(self) -> None:
        """Make the call, between two forks."""
        with self._lock:
            self._call()

    def _hold(self) -> None:
        self._held = self._lock.acquire(timeout=QUIET_SECONDS)

    def _free(self) -> None:
        if self._held:
            self._lock.release()

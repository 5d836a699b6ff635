"""News of tasks over Redis's publish and subscribe: one connection and one thread for a whole process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import structlog
from redis import exceptions
from redis.client import PubSub
from typing_extensions import override

from jobs.events import TaskEvents, Waiter
from jobs.ids import TaskUid
from jobs.stores.client import connect
from jobs.stores.keys import KEY_PREFIX, event_channel
from jobs.stores.waiters import Waiters

CONFIRM_SECONDS: Final = 2.0
"""How long `listen` waits for a server that is away."""
_LOOK_SECONDS: Final = 0.25
"""How often the thread looks whether it is to stop."""
_PING_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 15.0
"""A server that answers no ping for so long is gone, whatever the connection says."""
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class RedisTaskEvents(TaskEvents):
    """Listens to the ends of all items, and passes each on to who waits for its task.

    One pattern covers every task: a subscription per waiter would cost a round trip each, to be spared messages
    of some sixty bytes. The thread starts with the first waiter, so that it lives in the process that waits and
    not in the one that forked it, and it subscribes again whenever the connection is lost.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        """Prepare; it connects at the first `listen`.

        Args:
            url: of the ledger's server.
            key_prefix: as the ledger's.

        Raises:
            ValueError: the URL is not one of a Redis server.
        """
        # Without retries: each loss of the connection must be seen here, for the subscription is lost with it.
        self._client = connect(url, retries=0)
        self._prefix = key_prefix
        self._waiters = Waiters()
        self._subscribed = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @override
    @contextmanager
    def listen(self, uids: Sequence[TaskUid]) -> Iterator[Waiter]:
        """As the protocol says.

        A server that is away holds the caller for `CONFIRM_SECONDS`, and there is no news until it is back. The
        record, which the caller reads each second all the same, says whether the server answers.
        """
        self._start()
        with self._waiters.listen(uids) as waiter:
            self._subscribed.wait(CONFIRM_SECONDS)
            yield waiter

    @override
    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        self._waiters.follow(heard)
        self._start()

    def close(self) -> None:
        """End the thread and the connection. Whoever waits gets no more news."""
        with self._lock:
            self._closed.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._client.close()

    def _start(self) -> None:
        with self._lock:
            if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._subscribed.clear()
                self._thread = threading.Thread(target=self._run, name="task-events", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                self._follow()
            except (exceptions.RedisError, OSError) as error:
                # Once for each loss: who reads or writes records says often enough that the server is away.
                if self._subscribed.is_set():
                    log.warning("events_interrupted", error=type(error).__name__)
                    pause_seconds = _FIRST_PAUSE_SECONDS
            self._subscribed.clear()
            self._closed.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _follow(self) -> None:
        """Pass on the news until it is over.

        Raises:
            RedisError: the connection is lost.
        """
        with PubSub(self._client.connection_pool) as events:
            events.psubscribe(event_channel(self._prefix, TaskUid("*")))
            heard_at = pinged_at = time.monotonic()
            while not self._closed.is_set():
                if self._hear(events):
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > _SILENCE_SECONDS:
                    raise exceptions.TimeoutError("the server is silent")
                elif time.monotonic() - max(heard_at, pinged_at) > _PING_SECONDS:
                    events.ping()
                    pinged_at = time.monotonic()

    def _hear(self, events: PubSub) -> bool:
        """Pass on one message; False when there was none."""
        message = events.get_message(timeout=_LOOK_SECONDS)
        if message is None:
            return False
        if message["type"] == "psubscribe":
            self._subscribed.set()
        elif message["type"] == "pmessage":
            channel: str = message["channel"]
            self._waiters.tell(TaskUid(channel.removeprefix(event_channel(self._prefix, TaskUid("")))))
        return True

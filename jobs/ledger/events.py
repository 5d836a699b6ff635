"""News over Redis's publish and subscribe: one connection and one thread for each pattern of channels."""

import threading
import time
from collections.abc import Callable
from typing import Final, Self

import structlog
from redis import exceptions
from redis.client import PubSub
from typing_extensions import override

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.redis_client import connect

_LOOK_SECONDS: Final = 0.25
"""How often the thread looks whether it is to stop."""
_PING_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 15.0
"""A server that answers no ping for so long is gone, whatever the connection says."""
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class _Events:
    """Listens to the channels of a pattern until it is closed.

    The thread starts with `_start`, so that it lives in the process that listens and not in the one that forked
    it, and it subscribes again whenever the connection is lost. What happens meanwhile is no news: whoever waits
    for some looks into the ledger every second as well.
    """

    def __init__(self, url: str, pattern: str, *, name: str) -> None:
        """Prepare; it connects when it starts."""
        # Without retries: each loss of the connection must be seen here, for the subscription is lost with it.
        self._client = connect(url, retries=0)
        self._pattern, self._name = pattern, name
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        #: Set while the server passes the news on.
        self.subscribed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and the connection. Whoever waits gets no more news."""
        with self._lock:
            self._closed.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._client.close()

    def _began(self) -> None:
        """Learn that news is passed on from now on."""

    def _heard(self, channel: str) -> None:
        """Take a piece of news."""
        raise NotImplementedError

    def _start(self) -> None:
        with self._lock:
            if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
                self.subscribed.clear()
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                self._pass_on()
            except (exceptions.RedisError, OSError) as error:
                # Once for each loss: who reads or writes records says often enough that the server is away.
                if self.subscribed.is_set():
                    log.warning("events_interrupted", listener=self._name, error=type(error).__name__)
                    pause_seconds = _FIRST_PAUSE_SECONDS
            self.subscribed.clear()
            self._closed.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _pass_on(self) -> None:
        """Pass on the news until it is over."""
        with PubSub(self._client.connection_pool) as events:
            events.psubscribe(self._pattern)
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
            self.subscribed.set()
            self._began()
        elif message["type"] == "pmessage":
            self._heard(message["channel"])
        return True


class TaskEvents(_Events):
    """Listens to the ends of all items.

    One pattern covers every task: a subscription per waiter would cost a round trip each, to be spared messages
    of some sixty bytes.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        self._start_of_name = f"{key_prefix}events:"
        super().__init__(url, f"{self._start_of_name}*", name="task-events")
        self._followers: tuple[Callable[[TaskUid], None], ...] = ()

    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        """Pass on the news of every task from now on.

        `heard` is called in the thread that all news goes through, and must not block it.
        """
        with self._lock:
            self._followers = (*self._followers, heard)
        self._start()

    @override
    def _heard(self, channel: str) -> None:
        for heard in self._followers:
            heard(TaskUid(channel.removeprefix(self._start_of_name)))


class ErrandEvents(_Events):
    """Listens for errands that fall due, for the one thread that takes them.

    There is news of those that a task's start or end makes due, or a courier that gives them back. What falls due
    with time, after a pause or at the end of a lease, is none: it is found by looking now and then.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        super().__init__(url, f"{key_prefix}couriers", name="errand-events")
        self._rung = threading.Event()

    def wait(self, timeout_seconds: float) -> bool:
        """Block until there is news since the last call; False when there was none in time."""
        self._start()
        rung = self._rung.wait(timeout_seconds)
        # What rings between the two lines is not lost: it had happened before the caller looks into the ledger.
        self._rung.clear()
        return rung

    def tell(self) -> None:
        """Say that there is news: what kept this process from an errand may be over."""
        self._rung.set()

    @override
    def _began(self) -> None:
        self.tell()  # what fell due before was not heard

    @override
    def _heard(self, channel: str) -> None:
        self.tell()

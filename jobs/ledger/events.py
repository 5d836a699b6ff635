"""News over Redis's publish and subscribe: one connection and one thread for a whole process."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Self

import structlog
from redis import exceptions
from redis.client import PubSub

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.ledger.keys import KEY_PREFIX, courier_channel, event_channel

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


class Listener:
    """Passes on which channels of a pattern there is news on.

    The thread starts with the first call of `start`, so that it lives in the process that waits and not in the one
    that forked it, and it subscribes again whenever the connection is lost.
    """

    def __init__(self, url: str, pattern: str, tell: Callable[[str], None], *, name: str) -> None:
        """Prepare; it connects with `start`.

        Args:
            url: of the ledger's server.
            pattern: of the channels.
            tell: takes the name of a channel with news, in the listener's thread.
            name: the thread's.

        Raises:
            ValueError: the URL is not one of a Redis server.
        """
        # Without retries: each loss of the connection must be seen here, for the subscription is lost with it.
        self._client = connect(url, retries=0)
        self._pattern, self._tell, self._name = pattern, tell, name
        self._subscribed = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wait(self) -> None:
        """Hold the caller until it is subscribed, for `CONFIRM_SECONDS` at most."""
        self._subscribed.wait(CONFIRM_SECONDS)

    def close(self) -> None:
        """End the thread and the connection. Whoever waits gets no more news."""
        with self._lock:
            self._closed.set()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._client.close()

    def start(self) -> None:
        """Subscribe, unless that is done."""
        with self._lock:
            if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._subscribed.clear()
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                self._follow()
            except (exceptions.RedisError, OSError) as error:
                # Once for each loss: who reads or writes records says often enough that the server is away.
                if self._subscribed.is_set():
                    log.warning("events_interrupted", listener=self._name, error=type(error).__name__)
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
            self._subscribed.set()
        elif message["type"] == "pmessage":
            self._tell(message["channel"])
        return True


class _Events:
    """Waiters for the news of some channels, and the listener that serves them all.

    It connects at the first `listen`.

    Args:
        url: of the ledger's server.
        pattern: of the channels.
        name: of the listener's thread.

    Raises:
        ValueError: the URL is not one of a Redis server.
    """

    def __init__(self, url: str, pattern: str, *, name: str) -> None:
        self._waiters = Waiters()
        self._listener = Listener(url, pattern, self._waiters.tell, name=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and the connection. Whoever waits gets no more news."""
        self._listener.close()

    @contextmanager
    def _hear(self, channels: Sequence[str]) -> Iterator[Waiter]:
        self._listener.start()
        with self._waiters.listen(channels) as waiter:
            self._listener.wait()
            yield waiter


class TaskEvents(_Events):
    """Listens to the ends of all items, and passes each on to who waits for its task.

    One pattern covers every task: a subscription per waiter would cost a round trip each, to be spared messages
    of some sixty bytes.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        super().__init__(url, event_channel(key_prefix, TaskUid("*")), name="task-events")
        self._prefix = key_prefix

    @contextmanager
    def listen(self, uids: Sequence[TaskUid]) -> Iterator[Waiter]:
        """Subscribe first, read the record next, then wait: nothing can fall between.

        A server that is away holds the caller for `CONFIRM_SECONDS`, and there is no news until it is back. The
        record, which the caller reads each second all the same, says whether the server answers.
        """
        with self._hear([event_channel(self._prefix, uid) for uid in uids]) as waiter:
            yield waiter

    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        """Pass on the news of every task from now on, for who waits for many and must not spend a thread on each.

        News can be lost here, too. `heard` is called in a thread that all news goes through: it must not block.
        """
        start = event_channel(self._prefix, TaskUid(""))
        self._waiters.follow(lambda channel: heard(TaskUid(channel.removeprefix(start))))
        self._listener.start()


class ErrandEvents(_Events):
    """Listens for errands that fall due.

    There is news of those that a task's start or end makes due, or a courier that gives them back. What falls due
    with time, after a pause or at the end of a lease, is none: it is found by looking now and then.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        self._channel = courier_channel(key_prefix)
        super().__init__(url, self._channel, name="errand-events")

    @contextmanager
    def listen(self) -> Iterator[Waiter]:
        """Subscribe first, try to take an errand next, then wait: nothing can fall between.

        A server that is away holds the caller for `CONFIRM_SECONDS`.
        """
        with self._hear([self._channel]) as waiter:
            yield waiter

    def tell(self) -> None:
        """Wake the waiters of this process: what kept them from an errand may be over."""
        self._waiters.tell(self._channel)

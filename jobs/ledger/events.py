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


class Channels:
    """Passes the news of a pattern's channels on to who waits on one of them, or follows all.

    The thread starts with the first call that listens, so that it lives in the process that waits and not in the
    one that forked it, and it subscribes again whenever the connection is lost.
    """

    def __init__(self, url: str, pattern: str, *, name: str) -> None:
        """Prepare; it connects with the first that listens."""
        # Without retries: each loss of the connection must be seen here, for the subscription is lost with it.
        self._client = connect(url, retries=0)
        self._pattern, self._name = pattern, name
        self._lock = threading.Lock()
        self._waiters: defaultdict[str, set[Waiter]] = defaultdict(set)
        self._followers: tuple[Callable[[str], None], ...] = ()
        self._subscribed = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """How many channels are waited on."""
        with self._lock:
            return len(self._waiters)

    @contextmanager
    def listen(self, channels: Sequence[str]) -> Iterator[Waiter]:
        """Wait on some channels as long as the block lasts; it begins once the server has confirmed that."""
        waiter = Waiter()
        with self._lock:
            for channel in channels:
                self._waiters[channel].add(waiter)
        try:
            self._start()
            self._subscribed.wait(CONFIRM_SECONDS)
            yield waiter
        finally:
            with self._lock:
                for channel in set(channels):
                    self._waiters[channel].discard(waiter)
                    if not self._waiters[channel]:
                        del self._waiters[channel]

    def follow(self, heard: Callable[[str], None]) -> None:
        """Pass on the names of all channels with news from now on, in the thread that all news goes through."""
        with self._lock:
            self._followers = (*self._followers, heard)
        self._start()

    def tell(self, channel: str) -> None:
        """Say that there is news on a channel."""
        with self._lock:
            for waiter in self._waiters.get(channel, ()):
                waiter.ring()
            followers = self._followers
        for heard in followers:
            heard(channel)

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
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                self._pass_on()
            except (exceptions.RedisError, OSError) as error:
                # Once for each loss: who reads or writes records says often enough that the server is away.
                if self._subscribed.is_set():
                    log.warning("events_interrupted", listener=self._name, error=type(error).__name__)
                    pause_seconds = _FIRST_PAUSE_SECONDS
            self._subscribed.clear()
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
            self._subscribed.set()
        elif message["type"] == "pmessage":
            self.tell(message["channel"])
        return True


class _Events:
    """What a process closes when it no longer listens."""

    _channels: Channels

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and the connection. Whoever waits gets no more news."""
        self._channels.close()


class TaskEvents(_Events):
    """Listens to the ends of all items, and passes each on to who waits for its task.

    One pattern covers every task: a subscription per waiter would cost a round trip each, to be spared messages
    of some sixty bytes.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        self._channels = Channels(url, event_channel(key_prefix, TaskUid("*")), name="task-events")
        self._prefix = key_prefix

    @contextmanager
    def listen(self, uids: Sequence[TaskUid]) -> Iterator[Waiter]:
        """Subscribe first, read the record next, then wait: nothing can fall between.

        A server that is away holds the caller for `CONFIRM_SECONDS`, and there is no news until it is back. The
        record, which the caller reads each second all the same, says whether the server answers.
        """
        with self._channels.listen([event_channel(self._prefix, uid) for uid in uids]) as waiter:
            yield waiter

    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        """Pass on the news of every task from now on, for who waits for many and must not spend a thread on each.

        News can be lost here, too. `heard` is called in a thread that all news goes through: it must not block.
        """
        start = event_channel(self._prefix, TaskUid(""))
        self._channels.follow(lambda channel: heard(TaskUid(channel.removeprefix(start))))


class ErrandEvents(_Events):
    """Listens for errands that fall due.

    There is news of those that a task's start or end makes due, or a courier that gives them back. What falls due
    with time, after a pause or at the end of a lease, is none: it is found by looking now and then.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        self._channel = courier_channel(key_prefix)
        self._channels = Channels(url, self._channel, name="errand-events")

    @contextmanager
    def listen(self) -> Iterator[Waiter]:
        """Subscribe first, try to take an errand next, then wait: nothing can fall between.

        A server that is away holds the caller for `CONFIRM_SECONDS`.
        """
        with self._channels.listen([self._channel]) as waiter:
            yield waiter

    def tell(self) -> None:
        """Wake the waiters of this process: what kept them from an errand may be over."""
        self._channels.tell(self._channel)

"""Subscriptions to Redis's channels that outlive their connections: one thread for a pattern of channels."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from redis import exceptions
from redis.client import PubSub

from cutgate.jobs.ledger.redis.client import connect

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


class RedisListener:
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

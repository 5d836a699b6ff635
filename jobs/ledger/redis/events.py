"""News over Redis's publish and subscribe: one connection and one thread for a whole process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from typing_extensions import override

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.events import ErrandEvents, TaskEvents, Waiter
from cutgate.jobs.ledger.keys import KEY_PREFIX, courier_channel, event_channel
from cutgate.jobs.ledger.redis.listener import RedisListener
from cutgate.jobs.ledger.redis.waiters import Waiters


class _RedisEvents:
    """Waiters for the news of some channels, and the listener that serves them all."""

    def __init__(self, url: str, pattern: str, *, name: str) -> None:
        self._waiters = Waiters()
        self._listener = RedisListener(url, pattern, self._waiters.tell, name=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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


class RedisTaskEvents(_RedisEvents, TaskEvents):
    """Listens to the ends of all items, and passes each on to who waits for its task.

    One pattern covers every task: a subscription per waiter would cost a round trip each, to be spared messages
    of some sixty bytes.
    """

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        """Prepare; it connects at the first `listen`.

        Args:
            url: of the ledger's server.
            key_prefix: as the ledger's.

        Raises:
            ValueError: the URL is not one of a Redis server.
        """
        super().__init__(url, event_channel(key_prefix, TaskUid("*")), name="task-events")
        self._prefix = key_prefix

    @override
    @contextmanager
    def listen(self, uids: Sequence[TaskUid]) -> Iterator[Waiter]:
        """As the protocol says.

        A server that is away holds the caller for `CONFIRM_SECONDS`, and there is no news until it is back. The
        record, which the caller reads each second all the same, says whether the server answers.
        """
        with self._hear([event_channel(self._prefix, uid) for uid in uids]) as waiter:
            yield waiter

    @override
    def follow(self, heard: Callable[[TaskUid], None]) -> None:
        start = event_channel(self._prefix, TaskUid(""))
        self._waiters.follow(lambda channel: heard(TaskUid(channel.removeprefix(start))))
        self._listener.start()


class RedisErrandEvents(_RedisEvents, ErrandEvents):
    """Listens for errands that fall due."""

    def __init__(self, url: str, *, key_prefix: str = KEY_PREFIX) -> None:
        """Prepare; it connects at the first `listen`.

        Args:
            url: of the ledger's server.
            key_prefix: as the ledger's.

        Raises:
            ValueError: the URL is not one of a Redis server.
        """
        self._channel = courier_channel(key_prefix)
        super().__init__(url, self._channel, name="errand-events")

    @override
    @contextmanager
    def listen(self) -> Iterator[Waiter]:
        """As the protocol says; a server that is away holds the caller for `CONFIRM_SECONDS`."""
        with self._hear([self._channel]) as waiter:
            yield waiter

    @override
    def tell(self) -> None:
        self._waiters.tell(self._channel)

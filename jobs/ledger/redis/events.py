"""News over Redis's publish and subscribe: one connection and one thread for a whole process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.keys import KEY_PREFIX, courier_channel, event_channel
from cutgate.jobs.ledger.redis.listener import RedisListener
from cutgate.jobs.ledger.redis.waiters import Waiter, Waiters


class _RedisEvents:
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
        self._listener = RedisListener(url, pattern, self._waiters.tell, name=name)

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


class RedisTaskEvents(_RedisEvents):
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


class RedisErrandEvents(_RedisEvents):
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

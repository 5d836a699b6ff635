"""News for waiters and couriers: what is heard, and by one connection and one thread for a whole process."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from redis.exceptions import RedisError

from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.ledger.events import CONFIRM_SECONDS, Channels, ErrandEvents, TaskEvents
from cutgate.jobs.ledger.keys import KEY_PREFIX, event_channel
from cutgate.jobs.record import ItemState
from tests.jobs.build import DELIVERIES, ERROR, URL, Ledger, new_task, run_at_once
from tests.servers.redis_server import restart
from tests.waiting import PATIENCE_SECONDS, eventually

NO_NEWS_SECONDS = 0.1
WAITERS = 20


@pytest.fixture
def events(redis_url: str, key_prefix: str) -> Iterator[TaskEvents]:
    with TaskEvents(redis_url, key_prefix=key_prefix) as events:
        yield events


@pytest.fixture
def errands(redis_url: str, key_prefix: str) -> Iterator[ErrandEvents]:
    with ErrandEvents(redis_url, key_prefix=key_prefix) as events:
        yield events


def test_each_end_of_an_item_is_heard_and_nothing_else(ledger: Ledger, events: TaskEvents) -> None:
    task = ledger.submit(item_count=2)
    with events.listen([task.uid]) as waiter, events.listen([new_task_uid()]) as stranger:
        done, failed = ledger.next_claim(), ledger.next_claim()
        ledger.claims.renew(done)
        assert not waiter.wait(NO_NEWS_SECONDS)
        ledger.done(done)
        assert waiter.wait(PATIENCE_SECONDS)
        assert ledger.item(done).state is ItemState.DONE
        ledger.claims.fail(failed, ERROR)
        assert waiter.wait(PATIENCE_SECONDS)
        assert not waiter.wait(NO_NEWS_SECONDS)
        assert not stranger.wait(0)
    with events.listen([task.uid]) as late:
        assert not late.wait(NO_NEWS_SECONDS)


def test_all_waiters_of_a_task_hear_whatever_else_they_wait_for(ledger: Ledger, events: TaskEvents) -> None:
    task, other, all_listen = ledger.submit(), ledger.submit(), threading.Barrier(WAITERS + 1)

    def wait(_: int) -> bool:
        with events.listen([other.uid, task.uid]) as waiter:
            all_listen.wait()
            return waiter.wait(PATIENCE_SECONDS)

    with ThreadPoolExecutor(WAITERS) as pool:
        waits = pool.map(wait, range(WAITERS))
        all_listen.wait()
        ledger.tasks.terminate(task.uid, "alice")
        assert list(waits) == [True] * WAITERS


def test_a_follower_hears_of_every_task(ledger: Ledger, events: TaskEvents) -> None:
    heard: set[str] = set()
    events.follow(heard.add)
    with events.listen([new_task_uid()]):
        ended = {ledger.ended_task().uid for _ in range(3)}
        eventually(lambda: heard == ended)


def test_waiters_that_left_leave_nothing(redis_url: str) -> None:
    channels = Channels(redis_url, "none", name="none")
    with channels.listen(["one", "one", "another"]):
        assert len(channels) == 2
    assert len(channels) == 0
    channels.tell("one")
    channels.close()


# Couriers


def test_errands_that_fall_due_are_heard(ledger: Ledger, errands: ErrandEvents) -> None:
    task = ledger.submit(deliveries=DELIVERIES)
    with errands.listen() as waiter:
        ledger.submit(item_count=3, source_url=URL)
        assert waiter.wait(PATIENCE_SECONDS)
        assert not waiter.wait(NO_NEWS_SECONDS)
        assert ledger.errands.due() == 3
        assert ledger.tasks.terminate(task.uid, "alice")
        assert waiter.wait(PATIENCE_SECONDS)
        assert ledger.errands.due() == 3 + len(DELIVERIES)
        assert ledger.errands.postpone(ledger.next_errand(), 0)
        assert waiter.wait(PATIENCE_SECONDS)


def test_what_gives_couriers_nothing_to_do_is_no_news(ledger: Ledger, errands: ErrandEvents) -> None:
    ledger.submit(item_count=2, source_url=URL)
    with errands.listen() as waiter:
        ledger.submit(deliveries=DELIVERIES)
        assert ledger.errands.fetched(ledger.next_errand())
        assert ledger.errands.postpone(ledger.next_errand(), 60)
        assert not waiter.wait(NO_NEWS_SECONDS)


def test_the_processes_own_waiters_can_be_woken(errands: ErrandEvents) -> None:
    with errands.listen() as waiter, errands.listen() as another:
        errands.tell()
        assert waiter.wait(PATIENCE_SECONDS)
        assert another.wait(PATIENCE_SECONDS)


# The connection, which can be lost, and its thread


def listening_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "task-events"]


def subscriber_count(client: Redis) -> int:
    return int(client.pubsub_numpat())


def test_one_connection_and_one_thread_for_everybody(own_url: str) -> None:
    with TaskEvents(own_url) as events, connect(own_url) as client:
        assert listening_threads() == []
        all_listen = threading.Barrier(30)

        def listen(_: int) -> tuple[int, int]:
            with events.listen([new_task_uid()]):
                all_listen.wait()
                return len(listening_threads()), subscriber_count(client)

        assert set(run_at_once(30, listen)) == {(1, 1)}
    assert listening_threads() == []


def test_it_is_subscribed_before_listen_returns_until_it_is_closed_which_wakes_nobody(own_url: str) -> None:
    with connect(own_url) as client:
        events = TaskEvents(own_url)
        with events.listen([new_task_uid()]) as waiter:
            assert subscriber_count(client) == 1
            events.close()
            assert not waiter.wait(NO_NEWS_SECONDS)
        events.close()
        eventually(lambda: subscriber_count(client) == 0)
        assert listening_threads() == []


LOSSES: dict[str, Callable[[str, Redis], object]] = {
    "cut off": lambda url, client: client.client_kill_filter(_type="pubsub"),
    "restarted": lambda url, client: restart(url),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_it_subscribes_again_when_the_connection_is_lost(
    own_url: str, lose: Callable[[str, Redis], object]
) -> None:
    with TaskEvents(own_url) as events, connect(own_url) as client:
        task = new_task()
        with events.listen([task.uid]) as waiter:
            lose(own_url, client)
            # What is told meanwhile may be lost, so it is told again.
            channel = event_channel(KEY_PREFIX, task.uid)
            eventually(lambda: client.publish(channel, "0 done") and waiter.wait(0.2), despite=(RedisError,))


def test_a_server_that_is_away_holds_nobody_for_long() -> None:
    with TaskEvents("unix:///nowhere/redis.sock") as events:
        started = time.monotonic()
        with events.listen([new_task_uid()]) as waiter:
            assert time.monotonic() - started >= CONFIRM_SECONDS
            assert not waiter.wait(0)
    assert listening_threads() == []

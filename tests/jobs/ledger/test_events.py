"""News for waiters and couriers: what is heard, and by one connection and one thread for a whole process."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

import pytest
from redis import Redis
from redis.exceptions import RedisError

from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.ledger.events import ErrandEvents, TaskEvents
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.record import ItemState
from cutgate.jobs.redis_client import connect
from tests.jobs.build import DELIVERIES, ERROR, URL, Ledger, heard_by, run_at_once
from tests.servers.redis_server import restart
from tests.waiting import PATIENCE_SECONDS, eventually

NO_NEWS_SECONDS = 0.1


@pytest.fixture
def events(redis_url: str, key_prefix: str) -> Iterator[TaskEvents]:
    with TaskEvents(redis_url, key_prefix=key_prefix) as events:
        yield events


@pytest.fixture
def errands(redis_url: str, key_prefix: str) -> Iterator[ErrandEvents]:
    with ErrandEvents(redis_url, key_prefix=key_prefix) as events:
        yield events


def test_each_end_of_an_item_is_heard_and_nothing_else(ledger: Ledger, events: TaskEvents) -> None:
    heard = heard_by(events)
    task = ledger.submit(item_count=2)
    done, failed = ledger.next_claim(), ledger.next_claim()
    ledger.claims.renew(done)
    time.sleep(NO_NEWS_SECONDS)
    assert heard.empty()
    ledger.done(done)
    assert heard.get(timeout=PATIENCE_SECONDS) == task.uid
    assert ledger.item(done).state is ItemState.DONE
    ledger.claims.fail(failed, ERROR)
    assert heard.get(timeout=PATIENCE_SECONDS) == task.uid
    time.sleep(NO_NEWS_SECONDS)
    assert heard.empty()


def test_all_followers_hear_of_every_task(ledger: Ledger, events: TaskEvents) -> None:
    heard, also_heard = heard_by(events), heard_by(events)
    ended = [ledger.ended_task().uid for _ in range(3)]
    ended.append(ledger.submit().uid)
    ledger.tasks.terminate(ended[-1], "alice")
    for each in (heard, also_heard):
        assert [each.get(timeout=PATIENCE_SECONDS) for _ in ended] == ended


# Couriers


def settle(errands: ErrandEvents) -> None:
    """Wait until it listens."""
    assert errands.wait(PATIENCE_SECONDS)
    assert errands.subscribed.is_set()


def test_errands_that_fall_due_are_heard(ledger: Ledger, errands: ErrandEvents) -> None:
    task = ledger.submit(deliveries=DELIVERIES)
    settle(errands)
    ledger.submit(item_count=3, source_url=URL)
    assert errands.wait(PATIENCE_SECONDS)
    assert not errands.wait(NO_NEWS_SECONDS)
    assert ledger.errands.due() == 3
    assert ledger.tasks.terminate(task.uid, "alice")
    assert errands.wait(PATIENCE_SECONDS)
    assert ledger.errands.due() == 3 + len(DELIVERIES)
    assert ledger.errands.postpone(ledger.next_errand(), 0)
    assert errands.wait(PATIENCE_SECONDS)


def test_what_gives_couriers_nothing_to_do_is_no_news(ledger: Ledger, errands: ErrandEvents) -> None:
    ledger.submit(item_count=2, source_url=URL)
    settle(errands)
    ledger.submit(deliveries=DELIVERIES)
    assert ledger.errands.fetched(ledger.next_errand())
    assert ledger.errands.postpone(ledger.next_errand(), 60)
    assert not errands.wait(NO_NEWS_SECONDS)


def test_the_process_can_wake_its_own(errands: ErrandEvents) -> None:
    settle(errands)
    errands.tell()
    assert errands.wait(PATIENCE_SECONDS)


# The connection, which can be lost, and its thread


def listening_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "task-events"]


def subscriber_count(client: Redis) -> int:
    return int(client.pubsub_numpat())


def test_one_connection_and_one_thread_for_everybody_until_it_is_closed(own_url: str) -> None:
    with connect(own_url) as client:
        with TaskEvents(own_url) as events:
            assert listening_threads() == []
            run_at_once(30, lambda _: heard_by(events))
            assert len(listening_threads()) == subscriber_count(client) == 1
        assert listening_threads() == []
        eventually(lambda: subscriber_count(client) == 0)
        heard = SimpleQueue[TaskUid]()
        events.follow(heard.put)
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
        uid = new_task_uid()
        heard = heard_by(events)
        lose(own_url, client)
        # What is told meanwhile may be lost, so it is told again.
        channel = f"{KEY_PREFIX}events:{uid}"
        eventually(
            lambda: client.publish(channel, "0 done") and heard.get(timeout=0.2), despite=(RedisError, Empty)
        )


def test_a_server_that_is_away_holds_nobody() -> None:
    with ErrandEvents("unix:///nowhere/redis.sock") as events:
        assert not events.wait(0)
    assert not [thread for thread in threading.enumerate() if thread.name == "errand-events"]

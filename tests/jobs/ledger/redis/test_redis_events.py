"""What only the events over Redis have: a connection that can be lost, and a thread."""

import threading
import time
from collections.abc import Callable

import pytest
from redis import Redis
from redis.exceptions import RedisError

from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.ledger.events import CONFIRM_SECONDS, TaskEvents
from cutgate.jobs.ledger.keys import KEY_PREFIX, event_channel
from tests.jobs.build import new_task, run_at_once
from tests.servers.redis_server import restart
from tests.waiting import eventually

THREAD = "task-events"


def listening_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def subscriber_count(client: Redis) -> int:
    return int(client.pubsub_numpat())


def test_one_connection_and_one_thread_for_everybody(own_url: str) -> None:
    with TaskEvents(own_url) as events, connect(own_url) as client:
        assert listening_threads() == []

        def listen(_: int) -> None:
            with events.listen([new_task_uid()]):
                time.sleep(0.1)

        run_at_once(30, listen)
        assert len(listening_threads()) == 1
        assert subscriber_count(client) == 1
    assert listening_threads() == []


def test_it_is_subscribed_before_listen_returns_until_it_is_closed_which_wakes_nobody(own_url: str) -> None:
    with connect(own_url) as client:
        events = TaskEvents(own_url)
        with events.listen([new_task_uid()]) as waiter:
            assert subscriber_count(client) == 1
            events.close()
            assert not waiter.wait(0.05)
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
            assert time.monotonic() - started < CONFIRM_SECONDS + 1
            assert not waiter.wait(0.05)
    assert listening_threads() == []

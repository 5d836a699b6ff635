"""News for couriers."""

from __future__ import annotations

import pytest

from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.events import RedisErrandEvents
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from tests.jobs.build import DELIVERIES, LANE, URL, new_task, take_errand
from tests.ledgers import FreshLedger
from tests.servers.redis_server import redis_server
from tests.waiting import eventually


@pytest.fixture
def events(ledger: FreshLedger) -> RedisErrandEvents:
    return ledger.errand_events


def test_a_source_that_is_to_be_fetched_is_heard(ledger: RedisLedger, events: RedisErrandEvents) -> None:
    with events.listen() as waiter:
        ledger.create(new_task(item_count=3, source_url=URL))
        assert waiter.wait(5)
        assert not waiter.wait(0.05)
    assert ledger.errands_due() == 3


def test_the_deliveries_of_a_task_that_ends_are_heard(ledger: RedisLedger, events: RedisErrandEvents) -> None:
    task = new_task(deliveries=DELIVERIES)
    ledger.create(task)
    with events.listen() as waiter:
        assert ledger.terminate(task.uid, "alice")
        assert waiter.wait(5)
    assert ledger.errands_due() == len(DELIVERIES)


def test_an_errand_that_is_given_back_is_heard(ledger: RedisLedger, events: RedisErrandEvents) -> None:
    ledger.create(new_task(source_url=URL))
    errand = take_errand(ledger)
    with events.listen() as waiter:
        assert ledger.postpone(errand, 0)
        assert waiter.wait(5)


def test_what_gives_couriers_nothing_to_do_is_no_news(ledger: RedisLedger, events: RedisErrandEvents) -> None:
    ledger.create(new_task(item_count=2, source_url=URL))
    with events.listen() as waiter:
        ledger.create(new_task(deliveries=DELIVERIES))
        assert ledger.fetched(take_errand(ledger)) == LANE
        assert ledger.postpone(take_errand(ledger), 60)
        assert not waiter.wait(0.1)


def test_the_processes_own_waiters_can_be_woken(events: RedisErrandEvents) -> None:
    with events.listen() as waiter, events.listen() as another:
        events.tell()
        assert waiter.wait(5)
        assert another.wait(5)


def test_it_subscribes_again_when_the_connection_is_lost() -> None:
    with (
        redis_server() as url,
        connect(url) as client,
        RedisErrandEvents(url) as events,
        events.listen() as waiter,
    ):
        ledger = RedisLedger(client, LedgerLimits())

        def is_heard() -> bool:
            ledger.create(new_task(source_url=URL))
            return waiter.wait(0.1)

        assert is_heard()
        client.client_kill_filter(_type="pubsub")
        eventually(is_heard)

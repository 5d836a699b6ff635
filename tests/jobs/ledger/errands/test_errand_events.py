"""News for couriers."""

from collections.abc import Iterator

import pytest

from cutgate.jobs.ledger.client import connect
from cutgate.jobs.ledger.events import ErrandEvents
from tests.jobs.build import DELIVERIES, URL, Ledger
from tests.servers.redis_server import redis_server
from tests.waiting import eventually


@pytest.fixture
def events(redis_url: str, key_prefix: str) -> Iterator[ErrandEvents]:
    with ErrandEvents(redis_url, key_prefix=key_prefix) as events:
        yield events


def test_a_source_that_is_to_be_fetched_is_heard(ledger: Ledger, events: ErrandEvents) -> None:
    with events.listen() as waiter:
        ledger.submit(item_count=3, source_url=URL)
        assert waiter.wait(5)
        assert not waiter.wait(0.05)
    assert ledger.errands.due() == 3


def test_the_deliveries_of_a_task_that_ends_are_heard(ledger: Ledger, events: ErrandEvents) -> None:
    task = ledger.submit(deliveries=DELIVERIES)
    with events.listen() as waiter:
        assert ledger.tasks.terminate(task.uid, "alice")
        assert waiter.wait(5)
    assert ledger.errands.due() == len(DELIVERIES)


def test_an_errand_that_is_given_back_is_heard(ledger: Ledger, events: ErrandEvents) -> None:
    errand = ledger.fetching()
    with events.listen() as waiter:
        assert ledger.errands.postpone(errand, 0)
        assert waiter.wait(5)


def test_what_gives_couriers_nothing_to_do_is_no_news(ledger: Ledger, events: ErrandEvents) -> None:
    ledger.submit(item_count=2, source_url=URL)
    with events.listen() as waiter:
        ledger.submit(deliveries=DELIVERIES)
        assert ledger.errands.fetched(ledger.next_errand())
        assert ledger.errands.postpone(ledger.next_errand(), 60)
        assert not waiter.wait(0.1)


def test_the_processes_own_waiters_can_be_woken(events: ErrandEvents) -> None:
    with events.listen() as waiter, events.listen() as another:
        events.tell()
        assert waiter.wait(5)
        assert another.wait(5)


def test_it_subscribes_again_when_the_connection_is_lost() -> None:
    with (
        redis_server() as url,
        connect(url) as client,
        ErrandEvents(url) as events,
        events.listen() as waiter,
    ):

        def is_heard() -> bool:
            Ledger(client).submit(source_url=URL)
            return waiter.wait(0.1)

        assert is_heard()
        client.client_kill_filter(_type="pubsub")
        eventually(is_heard)

"""News for waiters."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger.events import TaskEvents, Waiters
from cutgate.jobs.record import ItemState
from tests.jobs.build import ERROR, Ledger, run_at_once
from tests.waiting import eventually


@pytest.fixture
def events(redis_url: str, key_prefix: str) -> Iterator[TaskEvents]:
    with TaskEvents(redis_url, key_prefix=key_prefix) as events:
        yield events


def test_each_end_of_an_item_is_heard(ledger: Ledger, events: TaskEvents) -> None:
    done, failed = ledger.claimed_items(item_count=2)
    with events.listen([done.task]) as waiter:
        ledger.done(done)
        assert waiter.wait(5)
        assert ledger.item(done).state is ItemState.DONE
        ledger.claims.fail(failed, ERROR)
        assert waiter.wait(5)
        assert not waiter.wait(0.05)


def test_claims_and_renewals_are_no_news(ledger: Ledger, events: TaskEvents) -> None:
    task = ledger.submit()
    with events.listen([task.uid]) as waiter:
        ledger.claims.renew(ledger.next_claim())
        assert not waiter.wait(0.1)


def test_the_termination_of_any_of_several_tasks(ledger: Ledger, events: TaskEvents) -> None:
    tasks = [ledger.submit() for _ in range(3)]
    with events.listen([task.uid for task in tasks]) as waiter:
        ledger.tasks.terminate(tasks[2].uid, "alice")
        assert waiter.wait(5)


def test_others_hear_nothing(ledger: Ledger, events: TaskEvents) -> None:
    task = ledger.submit()
    with events.listen([new_task_uid()]) as stranger, events.listen([task.uid]) as waiter:
        ledger.tasks.terminate(task.uid, "alice")
        assert waiter.wait(5)
        assert not stranger.wait(0.05)


def test_a_follower_hears_of_every_task(ledger: Ledger, events: TaskEvents) -> None:
    heard: set[str] = set()
    events.follow(heard.add)
    with events.listen([new_task_uid()]):
        ended = {ledger.ended_task().uid for _ in range(3)}
        eventually(lambda: heard == ended)


def test_all_waiters_of_a_task_hear(ledger: Ledger, events: TaskEvents) -> None:
    task = ledger.submit()

    def wait(number: int) -> bool:
        with events.listen([task.uid]) as waiter:
            return waiter.wait(10)

    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(run_at_once, 20, wait)
        time.sleep(0.3)
        ledger.tasks.terminate(task.uid, "alice")
        assert waits.result() == [True] * 20


def test_what_ended_before_is_not_heard(ledger: Ledger, events: TaskEvents) -> None:
    """A waiter reads the record after it has begun to listen: there it finds what it did not hear."""
    with events.listen([ledger.ended_task().uid]) as waiter:
        assert not waiter.wait(0.05)


def test_waiters_that_left_leave_nothing() -> None:
    waiters, uid = Waiters(), new_task_uid()
    with waiters.listen([uid, uid, new_task_uid()]):
        assert len(waiters) == 2
    assert len(waiters) == 0
    waiters.tell(uid)

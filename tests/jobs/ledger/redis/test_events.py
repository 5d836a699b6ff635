"""News for waiters."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger.redis.events import RedisTaskEvents
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.waiters import Waiters
from cutgate.jobs.record import ItemState
from tests.jobs.build import ERROR, claim_next, item_of, new_task, result_of, run_at_once
from tests.ledgers import FreshLedger


@pytest.fixture
def events(ledger: FreshLedger) -> RedisTaskEvents:
    return ledger.events


def test_each_end_of_an_item_is_heard(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    task = new_task(item_count=2)
    ledger.create(task)
    done, failed = claim_next(ledger), claim_next(ledger)
    with events.listen([task.uid]) as waiter:
        ledger.finish(done, result_of(done))
        assert waiter.wait(5)
        assert item_of(ledger, done).state is ItemState.DONE
        ledger.fail(failed, ERROR)
        assert waiter.wait(5)
        assert not waiter.wait(0.05)


def test_a_termination_is_heard(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    task = new_task()
    ledger.create(task)
    with events.listen([task.uid]) as waiter:
        ledger.terminate(task.uid, "alice")
        assert waiter.wait(5)


def test_claims_and_renewals_are_no_news(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    task = new_task()
    ledger.create(task)
    with events.listen([task.uid]) as waiter:
        ledger.renew(claim_next(ledger))
        assert not waiter.wait(0.1)


def test_any_of_several_tasks(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    tasks = [new_task() for _ in range(3)]
    for task in tasks:
        ledger.create(task)
    with events.listen([task.uid for task in tasks]) as waiter:
        ledger.terminate(tasks[2].uid, "alice")
        assert waiter.wait(5)


def test_others_hear_nothing(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    task = new_task()
    ledger.create(task)
    with events.listen([new_task_uid()]) as stranger, events.listen([task.uid]) as waiter:
        ledger.terminate(task.uid, "alice")
        assert waiter.wait(5)
        assert not stranger.wait(0.05)


def test_a_follower_hears_of_every_task(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    tasks = [new_task() for _ in range(3)]
    heard: set[str] = set()
    events.follow(heard.add)
    with events.listen([task.uid for task in tasks]) as waiter:
        for task in tasks:
            ledger.create(task)
            ledger.terminate(task.uid, "alice")
        give_up_at = time.monotonic() + 20
        while heard != {task.uid for task in tasks}:
            assert time.monotonic() < give_up_at
            waiter.wait(0.05)


def test_all_waiters_of_a_task_hear(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    task = new_task()
    ledger.create(task)

    def wait(number: int) -> bool:
        with events.listen([task.uid]) as waiter:
            return waiter.wait(10)

    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(run_at_once, 20, wait)
        time.sleep(0.3)
        ledger.terminate(task.uid, "alice")
        assert waits.result() == [True] * 20


def test_what_ended_before_is_not_heard(ledger: RedisLedger, events: RedisTaskEvents) -> None:
    """A waiter reads the record after it has begun to listen: there it finds what it did not hear."""
    task = new_task()
    ledger.create(task)
    ledger.terminate(task.uid, "alice")
    with events.listen([task.uid]) as waiter:
        assert not waiter.wait(0.05)


def test_waiters_that_left_leave_nothing() -> None:
    waiters, uid = Waiters(), new_task_uid()
    with waiters.listen([uid, uid, new_task_uid()]):
        assert len(waiters) == 2
    assert len(waiters) == 0
    waiters.tell(uid)

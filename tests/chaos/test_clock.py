"""The server's clock is stepped while jobs wait and run: at the level of the store, where there is an offset."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Task
from tests.chaos.verdict import still_open
from tests.fakes import ManualClock
from tests.jobs.build import LANE, new_task, result_of

PRICE = 3
TASKS = 90
PATIENCE_SECONDS = 30
LIMITS = LedgerLimits(lease_seconds=0.3, job_timeout_seconds=20, max_attempts=50)


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(client: Redis, key_prefix: str, clock: ManualClock) -> RedisLedger:
    ledger = RedisLedger(client, LIMITS, key_prefix=key_prefix, clock_offset_ms=clock.offset_ms)
    ledger.grant("alice", TASKS * PRICE)
    return ledger


def work(ledger: RedisLedger, over: threading.Event) -> None:
    """Take one item after the other; every fourth time die of it, which is to fall silent."""
    while not over.is_set():
        claim = ledger.claim([LANE], "worker", new_token())
        time.sleep(0.005)
        if claim is not None and random.random() > 0.25 and ledger.renew(claim):
            ledger.finish(claim, result_of(claim))


def ended(ledger: RedisLedger, uids: list[TaskUid]) -> list[Task]:
    """The tasks, all of which must have ended, with nothing left behind and the price booked once."""
    tasks = [task for task in ledger.get_many(uids, "alice") if task is not None and task.ended_at_ms is not None]
    assert len(tasks) == len(uids)
    balance = ledger.balance("alice")
    assert balance is not None
    assert (balance.used, balance.reserved) == (sum(task.booked for task in tasks), 0)
    return tasks


@pytest.mark.parametrize("step_seconds", [0.2, 2, 8])
def test_steps_to_and_fro(
    ledger: RedisLedger, client: Redis, key_prefix: str, clock: ManualClock, step_seconds: float
) -> None:
    """Steps that are shorter than a job may take only cost time: every job is done, once."""
    uids = [ledger.create(new_task(price=PRICE)).uid for _ in range(TASKS)]
    over = threading.Event()
    with ThreadPoolExecutor(3) as workers:
        running = [workers.submit(work, ledger, over) for _ in range(3)]
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        forward = True
        while ledger.unfinished("alice") and time.monotonic() < give_up_at:
            clock.advance(seconds=step_seconds if forward else -step_seconds)
            forward = not forward
            ledger.reap("reaper", {})
            time.sleep(0.05)
        over.set()
        for worker in running:
            worker.result()
    assert sum(task.booked for task in ended(ledger, uids)) == TASKS * PRICE
    assert not still_open(client, key_prefix)


def test_a_step_of_a_day(ledger: RedisLedger, clock: ManualClock) -> None:
    """What waited is over its time and fails unpaid; what ran starts anew."""
    uids = [ledger.create(new_task(price=PRICE)).uid for _ in range(10)]
    claims = [ledger.claim([LANE], "worker", new_token()) for _ in range(3)]
    clock.advance(seconds=86_400)
    ledger.reap("reaper", {})
    assert not [claim for claim in claims if claim is not None and ledger.finish(claim, result_of(claim))]
    while (again := ledger.claim([LANE], "worker", new_token())) is not None:
        assert ledger.finish(again, result_of(again))
    assert sum(task.booked for task in ended(ledger, uids)) == 3 * PRICE

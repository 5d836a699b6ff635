"""Tests of the ledger while the server's clock is stepped."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest

from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Task
from cutgate.jobs.redis_client import connect
from tests.chaos.verdict import still_open
from tests.jobs.build import LANE, Ledger

PRICE = 3
TASKS = 90
PATIENCE_SECONDS = 30
LIMITS = LedgerLimits(lease_seconds=0.3, job_timeout_seconds=20, max_attempts=50)


@pytest.fixture
def ledger(redis_url: str, key_prefix: str) -> Iterator[Ledger]:
    with connect(redis_url) as client:
        ledger = Ledger(client, LIMITS, key_prefix=key_prefix)
        ledger.accounts.grant("alice", TASKS * PRICE)
        yield ledger


def work(ledger: Ledger, over: threading.Event) -> None:
    """Take one item after the other; every fourth time die of it, which is to fall silent."""
    while not over.is_set():
        claim = ledger.claims.take([LANE], "worker", new_token())
        time.sleep(0.005)
        if claim is not None and random.random() > 0.25 and ledger.claims.renew(claim):
            ledger.done(claim)


def ended(ledger: Ledger, uids: list[TaskUid]) -> list[Task]:
    """The tasks, all of which must have ended, with nothing left behind and the price booked once."""
    tasks = [
        task for task in ledger.tasks.get_many(uids, "alice") if task is not None and task.ended_at_ms is not None
    ]
    assert len(tasks) == len(uids)
    balance = ledger.accounts.balance("alice")
    assert balance is not None
    assert (balance.used, balance.reserved) == (sum(task.booked for task in tasks), 0)
    return tasks


@pytest.mark.parametrize("step_seconds", [0.2, 2, 8])
def test_steps_to_and_fro(ledger: Ledger, step_seconds: float) -> None:
    """Steps that are shorter than a job may take only cost time: every job is done, once."""
    uids = [ledger.submit(price=PRICE).uid for _ in range(TASKS)]
    over = threading.Event()
    with ThreadPoolExecutor(3) as workers:
        running = [workers.submit(work, ledger, over) for _ in range(3)]
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        steps = cycle([step_seconds, -step_seconds])
        while ledger.tasks.unfinished("alice") and time.monotonic() < give_up_at:
            ledger.clock.advance(seconds=next(steps))
            ledger.upkeep.reap()
            time.sleep(0.05)
        over.set()
        for worker in running:
            worker.result()
    assert sum(task.booked for task in ended(ledger, uids)) == TASKS * PRICE
    assert not still_open(ledger.client, ledger.key_prefix)

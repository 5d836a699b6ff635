"""TERMINATE: everything that has not ended ends before the answer, and nothing that comes later counts."""

from __future__ import annotations

import pytest

from cutgate.jobs.errors import Terminated
from cutgate.jobs.ids import new_task_uid, new_token
from cutgate.jobs.ledger.answers import Balance, Leftovers
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, Task, TaskStatus
from tests.jobs.build import ERROR, LANE, MakeLedger, claim_next, new_task, result_of, run_at_once


def terminated(ledger: RedisLedger) -> Task:
    """A task with one item done, one running and two waiting, after its end."""
    task = new_task(item_count=4, price=2)
    ledger.create(task)
    done, _ = claim_next(ledger), claim_next(ledger)
    assert ledger.finish(done, result_of(done))
    assert ledger.terminate(task.uid, "alice")
    ended = ledger.get(task.uid, "alice")
    assert ended is not None
    return ended


def test_what_had_not_ended_ends_as_failed(ledger: RedisLedger) -> None:
    task = terminated(ledger)
    assert [item.state for item in task.items] == [ItemState.DONE, *[ItemState.FAILED] * 3]
    errors = [item.error for item in task.items[1:]]
    assert errors == [Terminated("the task was terminated").facts()] * 3
    assert (task.status, task.ended_at_ms is not None) == (TaskStatus.FINISHED, True)


def test_done_items_stay_booked_and_the_rest_is_released(ledger: RedisLedger) -> None:
    ledger.grant("alice", 10)
    assert terminated(ledger).booked == 2
    assert ledger.balance("alice") == Balance(granted=10, used=2, reserved=0)


def test_nothing_waits_any_more(ledger: RedisLedger) -> None:
    terminated(ledger)
    assert ledger.waiting(LANE) == 0
    assert ledger.claim([LANE], "worker-1", new_token()) is None
    assert ledger.unfinished("alice") == ()


def test_the_caps_have_room_again(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(LedgerLimits(account_queue_cap=4, total_queue_cap=4))
    terminated(ledger)
    ledger.create(new_task(item_count=4))


def test_error_when_nothing_was_done(ledger: RedisLedger) -> None:
    task = new_task(item_count=2)
    ledger.create(task)
    assert ledger.terminate(task.uid, "alice")
    stored = ledger.get(task.uid, "alice")
    assert stored is not None
    assert stored.status is TaskStatus.ERROR


def test_a_late_worker_is_refused(ledger: RedisLedger) -> None:
    ledger.create(new_task(item_count=2))
    one, other = claim_next(ledger), claim_next(ledger)
    assert ledger.terminate(one.task, "alice")
    assert not ledger.renew(one)
    assert not ledger.finish(one, result_of(one))
    assert not ledger.fail(other, ERROR)
    task = ledger.get(one.task, "alice")
    assert task is not None
    assert [item.error and item.error.kind for item in task.items] == ["terminated"] * 2


def test_a_claims_token_is_free_again(ledger: RedisLedger) -> None:
    ledger.create(new_task())
    claim = claim_next(ledger)
    ledger.terminate(claim.task, "alice")
    assert ledger.claim([LANE], "worker-1", claim.token) is None


def test_the_sources_of_what_it_ended_are_named_once(ledger: RedisLedger) -> None:
    task = new_task(item_count=4)
    ledger.create(task)
    done, _ = claim_next(ledger), claim_next(ledger)
    assert ledger.finish(done, result_of(done))
    sources = tuple(item.source for item in task.items[1:])
    assert ledger.terminate(task.uid, "alice") == Leftovers(sources=sources)
    assert ledger.terminate(task.uid, "alice") == Leftovers()
    assert ledger.terminate(new_task_uid(), "alice") is None


def test_a_repeat_changes_nothing(ledger: RedisLedger) -> None:
    ledger.grant("alice", 10)
    before = terminated(ledger)
    assert ledger.terminate(before.uid, "alice")
    assert ledger.get(before.uid, "alice") == before
    assert ledger.balance("alice") == Balance(granted=10, used=2, reserved=0)


def test_a_finished_task_stays_as_it_is(ledger: RedisLedger) -> None:
    ledger.create(new_task())
    claim = claim_next(ledger)
    ledger.finish(claim, result_of(claim))
    before = ledger.get(claim.task, "alice")
    assert ledger.terminate(claim.task, "alice")
    assert ledger.get(claim.task, "alice") == before


def test_another_accounts_task_and_an_unknown_one(ledger: RedisLedger) -> None:
    task = new_task()
    ledger.create(task)
    assert not ledger.terminate(task.uid, "bob")
    assert not ledger.terminate(new_task_uid(), "alice")
    assert ledger.waiting(LANE) == 1


def test_others_keep_their_turns(ledger: RedisLedger) -> None:
    gone, kept, other = new_task(item_count=2), new_task(item_count=2), new_task(account="bob", item_count=2)
    for task in (gone, kept, other):
        ledger.create(task)
    ledger.terminate(gone.uid, "alice")
    claims = [claim_next(ledger) for _ in range(4)]
    assert [claim.task for claim in claims] == [kept.uid, other.uid, kept.uid, other.uid]


@pytest.mark.parametrize("_", range(5))
def test_a_finish_at_the_same_moment(ledger: RedisLedger, _: int) -> None:
    """Either the item is done and booked, or it is terminated and released."""
    ledger.grant("alice", 10)
    ledger.create(new_task(price=4))
    claim = claim_next(ledger)
    finished, ended = run_at_once(
        2, lambda n: ledger.terminate(claim.task, "alice") if n else ledger.finish(claim, result_of(claim))
    )
    assert ended
    assert ledger.balance("alice") == Balance(granted=10, used=4 if finished else 0, reserved=0)

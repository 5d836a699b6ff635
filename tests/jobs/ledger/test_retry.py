"""Retries: what failed through no fault of its picture is worked on and charged as if it were new."""

from dataclasses import replace

import pytest

from cutgate.jobs.answers import Balance, Usage
from cutgate.jobs.errors import NOT_THE_PICTURES, BlobMissing, InsufficientCredits, QueueFull, WorkerLost
from cutgate.jobs.ids import background_key, new_task_uid, new_token
from cutgate.jobs.record import AccountCaps, Claim, ErrorFacts, ItemState, Phase, TaskStatus
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, Ledger, new_task, result_of
from tests.jobs.test_errors import every_error
from tests.ledgers import kept_sources, spent_sources

GONE = BlobMissing("the picture is gone").facts()


def failed(ledger: Ledger, error: ErrorFacts = GONE, **facts: object) -> Claim:
    claim = ledger.claimed(**facts)
    assert ledger.claims.fail(claim, error)
    return claim


def ends(ledger: Ledger, claim: Claim) -> list[str]:
    [trail, *_] = ledger.tasks.trails(ledger.task(claim.task))
    return [hold["end"] for hold in trail["history"]]


def test_it_waits_as_if_it_were_new_and_is_charged_once(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 10)
    claim = failed(ledger, price=4)
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
    assert ledger.retry(claim.task) == 1
    task = ledger.task(claim.task)
    assert (task.status, task.ended_at_ms, task.retries) == (TaskStatus.QUEUING, None, 1)
    assert (task.items[0].state, task.items[0].attempts, task.items[0].error) == (ItemState.QUEUED, 0, None)
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=4)
    assert ledger.tasks.unfinished("alice") == (claim.task,)
    again = ledger.next_claim()
    assert (again.spec, again.source, again.attempt) == (claim.spec, claim.source, 1)
    assert not ledger.done(claim), "the claim of before"
    assert ledger.done(again)
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=4, reserved=0)
    assert ledger.used() == Usage(done=1, failed=1, credits=4)
    assert ledger.figures().booked == ledger.task(claim.task).booked == 4
    assert (kept_sources(ledger, claim.task), spent_sources(ledger)) == (set(), {claim.source})
    assert ledger.retry(claim.task) == 0


@pytest.mark.parametrize("kind", sorted(error.kind for error in every_error()))
def test_which_kinds_may_be_retried(ledger: Ledger, kind: str) -> None:
    claim = failed(ledger, ErrorFacts(kind=kind, message="it failed"))
    may = kind in NOT_THE_PICTURES
    assert ledger.error(claim) == ErrorFacts(kind=kind, message="it failed")
    assert kept_sources(ledger, claim.task) == ({claim.source} if may else set())
    assert ledger.retry(claim.task) == may


def test_what_was_terminated_or_charged_is_not_retried(ledger: Ledger) -> None:
    ended = ledger.ended_task()
    assert ledger.retry(ended.uid) == 0
    strict = ledger.limited(max_attempts=1, charge_strikes=True)
    claim = strict.claimed()
    assert strict.claims.give_back_owned(claim.owner, died=True) == 1
    assert strict.item(claim).charged
    assert strict.error(claim).kind == WorkerLost.kind
    assert strict.retry(claim.task) == 0


def test_it_stands_behind_all_others_with_its_background(ledger: Ledger) -> None:
    uid = new_task_uid()
    task = new_task(uid=uid, urgent=True)
    background = background_key(uid, 0, new_token())
    ledger.tasks.create(replace(task, items=(replace(task.items[0], background=background),)))
    claim = ledger.next_claim()
    assert ledger.claims.fail(claim, GONE)
    assert kept_sources(ledger, uid) == {claim.source, background}
    other = ledger.submit()
    assert ledger.retry(uid) == 1
    assert [ledger.next_claim().task, (again := ledger.next_claim()).task] == [other.uid, uid]
    assert (again.source, again.background) == (claim.source, background)


def test_a_courier_that_asks_once_more_leaves_its_source(ledger: Ledger) -> None:
    task = ledger.submit(source_url=URL)
    errand = ledger.next_errand()
    assert ledger.errands.fetched(errand)
    assert ledger.claims.fail(ledger.next_claim(), GONE)
    assert ledger.errands.fetched(errand), "else it deletes what it brought"
    assert ledger.retry(task.uid) == 1
    assert ledger.errands.fetched(errand)
    assert ledger.next_claim().source == errand.source


def test_what_is_refused_changes_nothing(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 4)
    claim = failed(ledger, price=4)
    other = ledger.submit(price=1)
    before = ledger.task(claim.task)
    with pytest.raises(InsufficientCredits, match="the price is 4 credits, 3 are available"):
        ledger.retry(claim.task)
    ledger.accounts.grant("alice", 1)
    with pytest.raises(QueueFull):
        ledger.retry(claim.task, caps=AccountCaps(queue=1))
    assert ledger.task(claim.task) == before
    assert ledger.tasks.unfinished("alice") == (other.uid,)
    assert ledger.retry(claim.task) == 1


def test_of_several_pictures_the_others_stay_as_they_are(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 10)
    done, gone, bad = ledger.claimed_items(item_count=3, price=2)
    result = replace(result_of(done), full_width_px=7, full_height_px=8)
    assert ledger.claims.finish(done, result)
    assert ledger.claims.fail(gone, GONE)
    assert ledger.claims.fail(bad, ERROR)
    before = ledger.task(done.task)
    assert ledger.retry(done.task) == 1
    task = ledger.task(done.task)
    (listed,) = ledger.tasks.get_many([done.task], "alice")
    assert listed is not None
    assert (task.status, task.booked, listed.booked) == (TaskStatus.RUNNING, 2, 2)
    assert (task.items[0], task.items[2]) == (before.items[0], before.items[2])
    assert [found.uid for found in ledger.tasks.stored("failed")] == [task.uid], "one of it still has"
    assert ledger.done(ledger.next_claim())
    task = ledger.task(done.task)
    assert (task.status, task.booked, task.items[0].result) == (TaskStatus.FINISHED, 4, result)
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=4, reserved=0)


def test_a_picture_of_a_task_that_goes_on(ledger: Ledger) -> None:
    gone, other = ledger.claimed_items(item_count=2)
    assert ledger.claims.fail(gone, GONE)
    assert ledger.retry(gone.task) == 1
    assert ledger.done(other)
    assert ledger.task(gone.task).ended_at_ms is None
    assert ledger.done(ledger.next_claim())
    assert ledger.task(gone.task).status is TaskStatus.FINISHED


def test_what_the_end_makes_due_waits_for_the_next_end(ledger: Ledger) -> None:
    claim = failed(ledger, deliveries=DELIVERIES)
    told = ledger.next_errand()
    assert ledger.retry(claim.task) == 1
    assert ledger.errands.due() == 0
    assert not ledger.errands.postpone(told, 0)
    assert ledger.done(ledger.next_claim())
    assert ledger.errands.due() == len(DELIVERIES)


def test_it_may_be_retried_as_long_as_it_is_stored(ledger: Ledger) -> None:
    claim = failed(ledger)
    task = ledger.task(claim.task)
    ledger.clock.advance(ledger.limits.retention_seconds + 1)
    assert ledger.tasks.retry(task, AccountCaps()) == 0
    assert ledger.expired() == (claim.task,)
    ledger.upkeep.forget([claim.task])
    assert list(ledger.tasks.stored("failed")) == []
    assert not ledger.client.exists(ledger.database.key("failed"))


class TestHistory:
    def test_each_claim_and_why_it_ended(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        ledger.claims.renew(claim, Phase.COMPUTING)
        ledger.clock.advance(3)
        assert ledger.claims.give_back(claim, why="blob_store_unavailable")
        assert ledger.claims.give_back(ledger.next_claim())
        assert ledger.claims.give_back(ledger.next_claim(), ERROR)
        lost = ledger.next_claim(owner="lost")
        assert ledger.claims.give_back_owned(lost.owner, died=True)
        stopped = ledger.next_claim(owner="stopped")
        assert ledger.claims.give_back_owned(stopped.owner, died=False)
        assert ledger.claims.fail(ledger.next_claim(), GONE)
        assert ledger.retry(claim.task)
        assert ledger.done(ledger.next_claim())
        assert ends(ledger, claim) == [
            *("blob_store_unavailable", "given_back", ERROR.kind, "worker_lost", "worker_stopped", GONE.kind),
            *("retried", "done"),
        ]
        first = ledger.tasks.trails(ledger.task(claim.task))[0]["history"][0]
        assert (first["owner"], first["phase"], first["held_ms"] // 1_000) == ("worker-1", "computing", 3)

    def test_of_many_claims_the_last_ones_are_known(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        for number in range(30):
            assert ledger.claims.give_back(claim, why=f"reason_{number}")
            claim = ledger.next_claim(owner="w" * 40)
        assert 4 < len(ends(ledger, claim)) < 12
        assert ends(ledger, claim)[-1] == "reason_29"

    def test_a_name_that_is_longer_than_all_that_is_kept(self, ledger: Ledger) -> None:
        ledger.submit()
        claim = ledger.next_claim(owner="w" * 2_000)
        assert ledger.claims.give_back(claim)
        assert ends(ledger, claim) == ["given_back"]


def test_tasks_are_found_by_state_and_time(ledger: Ledger) -> None:
    early = failed(ledger)
    ledger.clock.advance(100)
    late, done = failed(ledger), ledger.claimed()
    assert ledger.done(done)
    running, waiting = ledger.claimed(account="carol"), ledger.submit(account="bob")
    uids = {which: {task.uid for task in ledger.tasks.stored(which)} for which in ("open", "ended", "failed")}
    assert uids == {
        "open": {waiting.uid, running.task},
        "ended": {early.task, late.task, done.task},
        "failed": {early.task, late.task},
    }
    now_ms = ledger.task(late.task).ended_at_ms or 0
    assert [task.uid for task in ledger.tasks.stored("failed", now_ms - 50_000)] == [late.task]
    assert [task.uid for task in ledger.tasks.stored("failed", oldest_first=True)] == [early.task, late.task]
    assert [task.uid for task in ledger.tasks.stored("failed")] == [late.task, early.task]
    assert list(ledger.tasks.stored("open", 1e15)) == []
    [held] = ledger.claims.under_way()
    assert held == {
        "worker": running.owner,
        "task": running.task,
        "picture": 0,
        "account": running.account,
        "lane": LANE,
        "phase": "reading",
        "attempt": 1,
        "seconds": held["seconds"],
    }

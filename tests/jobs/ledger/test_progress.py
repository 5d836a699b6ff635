"""How far tasks are: their places in the lane, and what workers do with them."""

import random

import pytest

from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.ledger.tasks import PROGRESS_AT_ONCE
from cutgate.jobs.record import Phase, TaskStatus
from tests.jobs.build import ERROR, OTHER_SPEC, URL, Ledger


def places(ledger: Ledger, *uids: TaskUid) -> list[int | None]:
    found = ledger.tasks.progress(uids)
    return [found[uid].place for uid in uids]


def phase(ledger: Ledger, uid: TaskUid) -> Phase | None:
    return ledger.tasks.progress([uid])[uid].phase


@pytest.mark.parametrize("seed", range(8))
def test_places_are_the_order_in_which_workers_claim(ledger: Ledger, seed: int) -> None:
    chance = random.Random(seed)
    uids = [
        ledger.submit(account=chance.choice("abcd"), item_count=chance.choice((1, 1, 1, 4))).uid for _ in range(12)
    ]
    for _ in range(chance.randrange(4)):  # so that the line does not begin with the first account
        ledger.next_claim()
    waiting = [uid for uid, place in zip(uids, places(ledger, *uids), strict=True) if place is not None]
    expected = dict(zip(waiting, places(ledger, *waiting), strict=True))
    order = []
    while ledger.waiting(ledger.lanes()[0]):
        order.append(ledger.next_claim())
    claimed = {(claim.task, claim.index): number for number, claim in enumerate(order, 1)}
    assert expected == {uid: claimed[uid, 0] for uid in waiting}


def test_a_place_is_one_of_the_tasks_own_lane(ledger: Ledger) -> None:
    first, other = ledger.submit().uid, ledger.submit(spec=OTHER_SPEC).uid
    assert places(ledger, first, other) == [1, 1]


def test_of_many_accounts_a_place_is_estimated(ledger: Ledger) -> None:
    uids = [ledger.submit(account=f"a{number}").uid for number in range(150)]
    [second] = [ledger.submit(account="a0").uid]
    assert places(ledger, uids[0], uids[99], second) == [1, 100, 151]
    [last] = places(ledger, uids[149])
    assert last is not None
    assert 100 <= last <= 150


def test_what_waits_for_its_picture_has_no_place(ledger: Ledger) -> None:
    uid = ledger.submit(source_url=URL).uid
    assert places(ledger, uid) == [None]


def test_the_phase_is_the_workers_and_of_a_batch_that_of_the_first_that_runs(ledger: Ledger) -> None:
    uid = ledger.submit(item_count=3).uid
    first, second = ledger.next_claim(), ledger.next_claim()
    assert (phase(ledger, uid), places(ledger, uid)) == (Phase.READING, [None])
    ledger.claims.renew(first, Phase.WRITING)
    ledger.claims.renew(second, Phase.COMPUTING)
    assert phase(ledger, uid) is Phase.WRITING
    ledger.done(first)
    assert phase(ledger, uid) is Phase.COMPUTING
    ledger.claims.fail(second, ERROR)
    assert phase(ledger, uid) is None, "one waits, none runs"
    ledger.done(ledger.next_claim())
    assert phase(ledger, uid) is None


def test_an_item_that_was_given_back_runs_as_a_task_and_has_no_phase(ledger: Ledger) -> None:
    uid = ledger.submit().uid
    ledger.claims.give_back(ledger.next_claim())
    found = ledger.tasks.progress([uid])[uid]
    assert (found.task.status, found.place, found.phase) == (TaskStatus.RUNNING, None, None)


def test_of_any_account_and_more_than_one_script_reads(ledger: Ledger) -> None:
    uids = [ledger.submit(account=chance).uid for chance in "ab" * PROGRESS_AT_ONCE]
    found = ledger.tasks.progress([*uids, new_task_uid()])
    assert list(found) == uids
    assert {progress.task.account for progress in found.values()} == {"a", "b"}


def test_an_ended_task_comes_with_its_results(ledger: Ledger) -> None:
    uid = ledger.submit().uid
    ledger.done(ledger.next_claim())
    found = ledger.tasks.progress([uid])[uid]
    assert (found.task, found.place) == (ledger.task(uid), None)

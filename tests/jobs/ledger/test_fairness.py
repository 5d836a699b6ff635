"""The order of claims: in turn between accounts, by acceptance within one."""

from __future__ import annotations

import pytest

from cutgate.jobs.ledger.store import LedgerStore
from cutgate.jobs.record import NewTask
from cutgate.jobs.spec import Lane
from tests.jobs.build import LANE, OTHER_LANE, OTHER_SPEC, claim_next, new_task


class Submissions:
    """Submits tasks and remembers whose they are."""

    def __init__(self, ledger: LedgerStore) -> None:
        self._ledger = ledger
        self._accounts: dict[str, str] = {}

    def submit(self, account: str, item_count: int) -> NewTask:
        task = new_task(account=account, item_count=item_count)
        self._ledger.create(task)
        self._accounts[task.uid] = account
        return task

    def served(self, count: int, lane: Lane = LANE) -> str:
        """Whose items the next claims take, one letter an account."""
        return "".join(self._accounts[claim_next(self._ledger, lane).task] for _ in range(count))


@pytest.fixture
def line(ledger: LedgerStore) -> Submissions:
    return Submissions(ledger)


def test_two_batches_alternate(line: Submissions) -> None:
    line.submit("a", 3)
    line.submit("b", 3)
    assert line.served(6) == "ababab"


def test_a_single_picture_does_not_wait_for_a_batch(line: Submissions) -> None:
    line.submit("a", 200)
    assert line.served(3) == "aaa"
    line.submit("b", 1)
    assert line.served(4) in {"baaa", "abaa"}


def test_the_line_is_by_arrival_and_not_by_name(line: Submissions) -> None:
    for account in "cab":
        line.submit(account, 2)
    assert line.served(6) == "cabcab"


def test_many_tasks_give_no_second_place(line: Submissions) -> None:
    for _ in range(5):
        line.submit("a", 1)
    line.submit("b", 2)
    assert line.served(4) == "abab"


def test_who_comes_back_stands_behind_who_waits(line: Submissions) -> None:
    for account in "abc":
        line.submit(account, 1 if account == "a" else 2)
    assert line.served(1) == "a"
    line.submit("a", 2)
    assert line.served(6) == "bcabca"


def test_a_stream_of_single_pictures_starves_nobody(line: Submissions) -> None:
    line.submit("b", 4)
    served = ""
    for _ in range(8):
        line.submit("a", 1)
        served += line.served(1)
    assert served.count("b") == 4


def test_within_an_account_by_acceptance(ledger: LedgerStore, line: Submissions) -> None:
    tasks = [line.submit("a", 2) for _ in range(3)]
    claims = [claim_next(ledger) for _ in range(6)]
    assert [(claim.task, claim.index) for claim in claims] == [
        (task.uid, index) for task in tasks for index in range(2)
    ]


def test_more_than_ten_items_keep_their_order(ledger: LedgerStore, line: Submissions) -> None:
    line.submit("a", 25)
    assert [claim_next(ledger).index for _ in range(25)] == list(range(25))


def test_each_lane_has_its_own_line(ledger: LedgerStore, line: Submissions) -> None:
    line.submit("a", 2)
    line.submit("b", 2)
    ledger.create(new_task(account="b", spec=OTHER_SPEC))
    claim_next(ledger, OTHER_LANE)
    assert line.served(4) == "abab"

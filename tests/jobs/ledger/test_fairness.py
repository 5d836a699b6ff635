"""The order of claims and of fetches: in turn between accounts, by acceptance within one."""

from abc import ABC, abstractmethod
from itertools import product
from typing import cast

import pytest
from typing_extensions import override

from cutgate.jobs.record import NewTask
from tests.jobs.build import ERROR, OTHER_LANE, OTHER_SPEC, URL, Ledger


class Line(ABC):
    """What accounts wait for, and whose turn it is."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @abstractmethod
    def submit(self, account: str, item_count: int) -> NewTask:
        """Let items of an account wait."""

    @abstractmethod
    def next(self) -> str:
        """Whose item is next, which is taken and ended."""

    def served(self, count: int) -> str:
        """Whose items come next, one letter an account."""
        return "".join(self.next() for _ in range(count))


class Claims(Line):
    @override
    def submit(self, account: str, item_count: int) -> NewTask:
        return self.ledger.submit(account=account, item_count=item_count)

    @override
    def next(self) -> str:
        return self.ledger.next_claim().account


class Fetches(Line):
    @override
    def submit(self, account: str, item_count: int) -> NewTask:
        return self.ledger.submit(account=account, item_count=item_count, source_url=URL)

    @override
    def next(self) -> str:
        errand = self.ledger.next_errand()
        assert self.ledger.fetch_failed(errand, ERROR)
        return errand.account


@pytest.fixture(params=[Claims, Fetches])
def line(request: pytest.FixtureRequest, ledger: Ledger) -> Line:
    return cast("Line", request.param(ledger))


def test_two_batches_alternate(line: Line) -> None:
    line.submit("a", 3)
    line.submit("b", 3)
    assert line.served(6) == "ababab"


def test_a_single_picture_does_not_wait_for_a_batch(line: Line) -> None:
    line.submit("a", 200)
    assert line.served(3) == "aaa"
    line.submit("b", 1)
    assert line.served(4) in {"baaa", "abaa"}


def test_the_line_is_by_arrival_and_not_by_name(line: Line) -> None:
    for account in "cab":
        line.submit(account, 2)
    assert line.served(6) == "cabcab"


def test_many_tasks_give_no_second_place(line: Line) -> None:
    for _ in range(5):
        line.submit("a", 1)
    line.submit("b", 2)
    assert line.served(4) == "abab"


def test_who_comes_back_stands_behind_who_waits(line: Line) -> None:
    for account in "abc":
        line.submit(account, 1 if account == "a" else 2)
    assert line.served(1) == "a"
    line.submit("a", 2)
    assert line.served(6) == "bcabca"


def test_a_stream_of_single_pictures_starves_nobody(line: Line) -> None:
    line.submit("b", 4)
    served = ""
    for _ in range(8):
        line.submit("a", 1)
        served += line.served(1)
    assert served.count("b") == 4


@pytest.mark.parametrize("end", ["done", "fail", "die"])
def test_who_comes_while_an_item_is_worked_on_is_served_before_the_next(ledger: Ledger, end: str) -> None:
    """Else it would wait for two items of the other account, of which each may take its whole time."""
    ledger.submit(account="a", item_count=3)
    first = ledger.next_claim()
    ledger.submit(account="b", item_count=1)
    ends = {
        "done": lambda: ledger.done(first),
        "fail": lambda: ledger.fail(first, ERROR),
        "die": lambda: ledger.give_back_owned(first.owner, died=True),
    }
    assert ends[end]()
    assert ledger.next_claim().account == "b"


def test_within_an_account_by_acceptance(ledger: Ledger) -> None:
    tasks = [ledger.submit(item_count=12) for _ in range(2)]
    claims = [ledger.next_claim() for _ in range(24)]
    assert [(claim.task, claim.index) for claim in claims] == list(
        product([task.uid for task in tasks], range(12))
    )


def test_each_lane_has_its_own_line(ledger: Ledger) -> None:
    for account in ("alice", "bob"):
        ledger.submit(account=account, item_count=2)
    ledger.submit(account="bob", spec=OTHER_SPEC)
    ledger.next_claim(OTHER_LANE)
    assert [ledger.next_claim().account for _ in range(4)] == ["alice", "bob"] * 2

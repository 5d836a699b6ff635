"""The order of errands: in turn between accounts and kinds, and no account with more than its cap under way."""

from __future__ import annotations

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.errands import Errand, ErrandKind
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Delivery, DeliveryKind, NewTask
from tests.fakes import ManualClock
from tests.jobs.build import ERROR, URL, MakeLedger, new_task, take_errand

CAP = 3
LIMITS = LedgerLimits(account_errand_cap=CAP)
CALLBACK = Delivery(kind=DeliveryKind.CALLBACK, url=URL)
UPLOAD = Delivery(kind=DeliveryKind.UPLOAD, url=URL)
LETTERS = {ErrandKind.FETCH: "f", ErrandKind.CALLBACK: "c", ErrandKind.UPLOAD: "u"}


class Line:
    """Makes errands due, and takes them one after the other."""

    def __init__(self, ledger: RedisLedger) -> None:
        self.ledger = ledger

    def fetch(self, account: str, count: int = 1) -> NewTask:
        task = new_task(account=account, item_count=count, source_url=URL)
        self.ledger.create(task)
        return task

    def deliver(self, account: str, *deliveries: Delivery) -> None:
        task = new_task(account=account, deliveries=deliveries)
        self.ledger.create(task)
        assert self.ledger.terminate(task.uid, account)

    def end(self, errand: Errand) -> None:
        if errand.kind is ErrandKind.FETCH:
            assert self.ledger.fetch_failed(errand, ERROR)
        else:
            assert self.ledger.errand_done(errand)

    def served(self, count: int) -> list[Errand]:
        """The next errands, each ended before another is taken."""
        taken = []
        for _ in range(count):
            taken.append(take_errand(self.ledger))
            self.end(taken[-1])
        return taken

    def accounts(self, count: int) -> str:
        """Whose errands come next, one letter an account."""
        return "".join(errand.account for errand in self.served(count))

    def take(self) -> Errand | None:
        return self.ledger.take_errand("courier-1", new_token())


@pytest.fixture
def line(make_ledger: MakeLedger) -> Line:
    return Line(make_ledger(LIMITS))


class TestAccounts:
    def test_two_batches_alternate(self, line: Line) -> None:
        line.fetch("a", 3)
        line.fetch("b", 3)
        assert line.accounts(6) == "ababab"

    def test_a_single_picture_does_not_wait_for_a_batch(self, line: Line) -> None:
        line.fetch("a", 200)
        assert line.accounts(3) == "aaa"
        line.fetch("b")
        assert line.accounts(4) in {"baaa", "abaa"}

    def test_the_line_is_by_arrival_and_not_by_name(self, line: Line) -> None:
        for account in "cab":
            line.fetch(account, 2)
        assert line.accounts(6) == "cabcab"

    def test_who_comes_back_stands_behind_who_waits(self, line: Line) -> None:
        for account in "abc":
            line.fetch(account, 1 if account == "a" else 2)
        assert line.accounts(1) == "a"
        line.fetch("a", 2)
        assert line.accounts(6) == "bcabca"

    def test_within_an_account_by_the_time_since_when_it_is_due(self, line: Line, clock: ManualClock) -> None:
        tasks = []
        for _ in range(3):
            tasks.append(line.fetch("a"))
            clock.advance(seconds=1)
        assert [errand.task for errand in line.served(3)] == [task.uid for task in tasks]

    def test_what_falls_due_again_has_no_second_place(self, line: Line, clock: ManualClock) -> None:
        line.fetch("a", 3)
        postponed = [take_errand(line.ledger) for _ in range(3)]
        for errand in postponed:
            assert line.ledger.postpone(errand, seconds=10)
        clock.advance(seconds=5)
        line.fetch("b", 3)
        clock.advance(seconds=6)
        assert line.accounts(6) == "bababa"


class TestKinds:
    def test_callbacks_do_not_wait_for_the_accounts_own_fetches(self, line: Line) -> None:
        line.fetch("a", 50)
        line.deliver("a", CALLBACK, UPLOAD)
        assert [LETTERS[errand.kind] for errand in line.served(5)] == ["f", "c", "u", "f", "f"]

    def test_nor_for_those_of_others(self, line: Line) -> None:
        for account in "abc":
            line.fetch(account, 50)
        line.deliver("d", CALLBACK)
        assert line.accounts(4) == "abcd"

    def test_a_courier_takes_the_kinds_that_it_names(self, line: Line) -> None:
        line.fetch("a", 2)
        line.deliver("b", CALLBACK)
        taken = line.ledger.take_errand("courier-1", new_token(), [ErrandKind.CALLBACK, ErrandKind.UPLOAD])
        assert taken is not None
        assert (taken.kind, taken.account) == (ErrandKind.CALLBACK, "b")
        assert line.ledger.take_errand("courier-1", new_token(), [ErrandKind.UPLOAD]) is None
        assert line.ledger.errands_due() == 2


class TestCap:
    def test_an_account_at_its_cap_is_passed_over(self, line: Line) -> None:
        line.fetch("a", 50)
        line.deliver("a", CALLBACK)
        taken = [take_errand(line.ledger) for _ in range(CAP)]
        assert line.take() is None
        line.fetch("b")
        assert take_errand(line.ledger).account == "b"
        assert line.take() is None
        assert line.ledger.errands_due() == 51 - len(taken)

    def test_an_end_makes_room(self, line: Line) -> None:
        line.fetch("a", 5)
        taken = [take_errand(line.ledger) for _ in range(CAP)]
        line.end(taken[0])
        assert line.take() is not None
        assert line.take() is None

    def test_so_does_a_postponement(self, line: Line) -> None:
        line.fetch("a", 5)
        taken = [take_errand(line.ledger) for _ in range(CAP)]
        assert line.ledger.postpone(taken[0], seconds=1_000)
        assert line.take() is not None
        assert line.take() is None

    def test_so_does_the_end_of_a_lease(self, line: Line, clock: ManualClock) -> None:
        line.fetch("a", 5)
        late = [take_errand(line.ledger) for _ in range(CAP)]
        clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
        taken = [take_errand(line.ledger) for _ in range(CAP)]
        assert [errand.attempt for errand in taken] == [1, 1, 2]
        assert line.take() is None
        # That a courier which is late ends its errand makes no room: it was not counted any more.
        line.end(late[-1])
        assert line.take() is None
        line.end(taken[0])
        assert line.take() is not None

    def test_a_late_postponement_leaves_no_second_trace(self, line: Line, clock: ManualClock) -> None:
        """Its lease lapsed and it is in line again, behind one that another courier takes."""
        line.fetch("a")
        late = take_errand(line.ledger)
        clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
        assert line.ledger.take_errand("courier-2", new_token(), [ErrandKind.UPLOAD]) is None
        assert line.ledger.errands_due() == 1
        assert line.ledger.postpone(late, seconds=100)
        assert (line.ledger.errands_due(), line.take()) == (0, None)
        clock.advance(seconds=101)
        line.end(take_errand(line.ledger))
        assert (line.ledger.errands_due(), line.take()) == (0, None)

    def test_an_end_in_line_leaves_no_trace(self, line: Line, clock: ManualClock) -> None:
        task = line.fetch("a", 2)
        late = take_errand(line.ledger)
        clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
        assert line.ledger.take_errand("courier-2", new_token(), [ErrandKind.UPLOAD]) is None
        line.end(late)
        assert line.ledger.errands_due() == 1
        assert line.ledger.terminate(task.uid, "a")
        assert (line.ledger.errands_due(), line.take()) == (0, None)


def test_more_than_enter_their_lines_at_once(make_ledger: MakeLedger, clock: ManualClock) -> None:
    count = 220
    line = Line(make_ledger(LedgerLimits(account_errand_cap=count)))
    line.fetch("a", count)
    first = [take_errand(line.ledger) for _ in range(count)]
    clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
    assert line.ledger.errands_due() == count
    again = line.served(count)
    assert {errand.id for errand in again} == {errand.id for errand in first}
    assert {errand.attempt for errand in again} == {2}

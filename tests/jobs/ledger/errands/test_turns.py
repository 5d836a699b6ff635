"""The order of errands: in turn between accounts and kinds, and no account with more than its cap under way."""

import pytest
from redis import Redis

from cutgate.jobs.ids import new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Delivery, Errand, ErrandKind, NewTask
from tests.jobs.build import ERROR, URL, Ledger

CAP = 3
LIMITS = LedgerLimits(account_errand_cap=CAP)
CALLBACK = Delivery(kind=ErrandKind.CALLBACK, url=URL)
UPLOAD = Delivery(kind=ErrandKind.UPLOAD, url=URL)
LETTERS = {ErrandKind.FETCH: "f", ErrandKind.CALLBACK: "c", ErrandKind.UPLOAD: "u"}


class Line(Ledger):
    """Makes errands due, and takes them one after the other."""

    def fetch(self, account: str, count: int = 1) -> NewTask:
        return self.submit(account=account, item_count=count, source_url=URL)

    def end(self, errand: Errand) -> None:
        if errand.kind is ErrandKind.FETCH:
            assert self.errands.fetch_failed(errand, ERROR)
        else:
            assert self.errands.done(errand)

    def served(self, count: int) -> list[Errand]:
        """The next errands, each ended before another is taken."""
        taken = []
        for _ in range(count):
            taken.append(self.next_errand())
            self.end(taken[-1])
        return taken

    def served_accounts(self, count: int) -> str:
        """Whose errands come next, one letter an account."""
        return "".join(errand.account for errand in self.served(count))


@pytest.fixture
def line(client: Redis, key_prefix: str) -> Line:
    return Line(client, LIMITS, key_prefix=key_prefix)


class TestAccounts:
    def test_within_an_account_by_the_time_since_when_it_is_due(self, line: Line) -> None:
        tasks = []
        for _ in range(3):
            tasks.append(line.fetch("a"))
            line.clock.advance(seconds=1)
        assert [errand.task for errand in line.served(3)] == [task.uid for task in tasks]

    def test_in_turn_between_accounts_by_arrival_and_not_by_name(self, line: Line) -> None:
        for account in "cab":
            line.fetch(account, 2)
        assert line.served_accounts(6) == "cabcab"

    def test_what_falls_due_again_has_no_second_place(self, line: Line) -> None:
        line.fetch("a", 3)
        postponed = [line.next_errand() for _ in range(3)]
        for errand in postponed:
            assert line.errands.postpone(errand, seconds=10)
        line.clock.advance(seconds=5)
        line.fetch("b", 3)
        line.clock.advance(seconds=6)
        assert line.served_accounts(6) == "bababa"


class TestKinds:
    def test_callbacks_do_not_wait_for_the_accounts_own_fetches(self, line: Line) -> None:
        line.fetch("a", 50)
        line.ended_task(account="a", deliveries=(CALLBACK, UPLOAD))
        assert [LETTERS[errand.kind] for errand in line.served(5)] == ["f", "c", "u", "f", "f"]

    def test_nor_for_those_of_others(self, line: Line) -> None:
        for account in "abc":
            line.fetch(account, 50)
        line.ended_task(account="d", deliveries=(CALLBACK,))
        assert line.served_accounts(4) == "abcd"

    def test_a_courier_takes_the_kinds_that_it_names(self, line: Line) -> None:
        line.fetch("a", 2)
        line.ended_task(account="b", deliveries=(CALLBACK,))
        taken = line.errands.take("courier-1", new_token(), [ErrandKind.CALLBACK, ErrandKind.UPLOAD])
        assert taken is not None
        assert (taken.kind, taken.account) == (ErrandKind.CALLBACK, "b")
        assert line.errands.take("courier-1", new_token(), [ErrandKind.UPLOAD]) is None
        assert line.errands.due() == 2


class TestCap:
    def test_an_account_at_its_cap_is_passed_over(self, line: Line) -> None:
        line.fetch("a", 50)
        line.ended_task(account="a", deliveries=(CALLBACK,))
        taken = [line.next_errand() for _ in range(CAP)]
        assert line.no_errand()
        line.fetch("b")
        assert line.next_errand().account == "b"
        assert line.no_errand()
        assert line.errands.due() == 51 - len(taken)

    @pytest.mark.parametrize("postponed", [False, True])
    def test_an_end_or_a_postponement_makes_room(self, line: Line, postponed: bool) -> None:
        line.fetch("a", 5)
        first, *_ = [line.next_errand() for _ in range(CAP)]
        if postponed:
            assert line.errands.postpone(first, seconds=1_000)
        else:
            line.end(first)
        assert line.next_errand()
        assert line.no_errand()

    def test_so_does_the_end_of_a_lease(self, line: Line) -> None:
        line.fetch("a", 5)
        late = [line.next_errand() for _ in range(CAP)]
        line.clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
        taken = [line.next_errand() for _ in range(CAP)]
        assert [errand.attempt for errand in taken] == [1, 1, 2]
        assert line.no_errand()
        # That a courier which is late ends its errand makes no room: it was not counted any more.
        line.end(late[-1])
        assert line.no_errand()
        line.end(taken[0])
        assert line.next_errand()

    def test_a_late_postponement_leaves_no_second_trace(self, line: Line) -> None:
        """Its lease lapsed and it is in line again, behind one that another courier takes."""
        line.fetch("a")
        late = line.next_errand()
        line.clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
        assert line.errands.take("courier-2", new_token(), [ErrandKind.UPLOAD]) is None
        assert line.errands.due() == 1
        assert line.errands.postpone(late, seconds=100)
        assert (line.errands.due(), line.no_errand()) == (0, True)
        line.clock.advance(seconds=101)
        line.end(line.next_errand())
        assert (line.errands.due(), line.no_errand()) == (0, True)

    def test_an_end_in_line_leaves_no_trace(self, line: Line) -> None:
        task = line.fetch("a", 2)
        late = line.next_errand()
        line.clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
        assert line.errands.take("courier-2", new_token(), [ErrandKind.UPLOAD]) is None
        line.end(late)
        assert line.errands.due() == 1
        assert line.tasks.terminate(task.uid, "a")
        assert (line.errands.due(), line.no_errand()) == (0, True)


def test_more_than_enter_their_lines_at_once(line: Line) -> None:
    count = 220
    line = line.limited(account_errand_cap=count)
    line.fetch("a", count)
    first = [line.next_errand() for _ in range(count)]
    line.clock.advance(seconds=LIMITS.errand_lease_seconds + 1)
    assert line.errands.due() == count
    again = line.served(count)
    assert {errand.id for errand in again} == {errand.id for errand in first}
    assert {errand.attempt for errand in again} == {2}

"""The order of claims: in turn between accounts, by acceptance within one.

Items that hang or harm their workers count against their account: it then waits behind all others.
"""

from collections.abc import Callable

import pytest

from cutgate.jobs.answers import Balance
from cutgate.jobs.errors import DecodingStopped, SourceUndecodable, TimedOut, WorkerLost
from cutgate.jobs.ids import new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ErrorFacts, Phase
from tests.jobs.build import ERROR, LANE, LIMITS, OTHER_LANE, OTHER_SPEC, URL, Ledger, result_of

STOPPED = DecodingStopped("the picture breaks its decoder").facts()
DAMAGED = SourceUndecodable("the picture is damaged").facts()
HUNG = TimedOut("the picture took too long").facts()
HELD_BACK = LIMITS.max_strikes


def served(ledger: Ledger, count: int) -> str:
    """Whose items come next, one letter an account."""
    return "".join(ledger.next_claim().account for _ in range(count))


def test_a_single_picture_does_not_wait_for_a_batch(ledger: Ledger) -> None:
    ledger.submit(account="a", item_count=200)
    assert served(ledger, 3) == "aaa"
    ledger.submit(account="b")
    assert served(ledger, 4) in {"baaa", "abaa"}


def test_the_line_is_by_arrival_and_not_by_name(ledger: Ledger) -> None:
    for account in "cab":
        ledger.submit(account=account, item_count=2)
    assert served(ledger, 6) == "cabcab"


def test_many_tasks_give_no_second_place(ledger: Ledger) -> None:
    for _ in range(5):
        ledger.submit(account="a")
    ledger.submit(account="b", item_count=2)
    assert served(ledger, 4) == "abab"


class TestUrgency:
    """What somebody waits for comes before the rest of its account, and nobody else's."""

    def test_other_accounts_keep_their_turns(self, ledger: Ledger) -> None:
        for account, urgent in (("a", False), ("b", False), ("b", True)):
            ledger.submit(account=account, item_count=3, urgent=urgent)
        assert served(ledger, 9) == "abababbbb"

    def test_every_fourth_turn_of_an_account_is_the_oldest_plain_items(self, ledger: Ledger) -> None:
        plain = ledger.submit(item_count=2)
        for _ in range(9):
            ledger.submit(urgent=True)
        served = [ledger.next_claim() for _ in range(11)]
        assert [claim.index for claim in served if claim.task == plain.uid] == [0, 1]
        assert [claim.task == plain.uid for claim in served] == [False, False, False, True] * 2 + [False] * 3

    def test_it_keeps_its_place_when_it_has_to_be_fetched(self, ledger: Ledger) -> None:
        urgent = ledger.submit(urgent=True, source_url=URL)
        ledger.submit(item_count=2)
        assert ledger.errands.fetched(ledger.next_errand())
        assert ledger.next_claim().task == urgent.uid

    def test_after_a_fault_it_goes_behind_all_others(self, ledger: Ledger) -> None:
        ledger.submit(urgent=True)
        assert ledger.claims.give_back(ledger.next_claim(), ERROR)
        other = ledger.submit()
        ledger.submit(urgent=True)
        assert [ledger.next_claim().attempt for _ in range(2)] == [1, 2]
        assert ledger.next_claim().task == other.uid


@pytest.mark.parametrize("end", ["done", "fail", "die"])
def test_who_comes_while_an_item_is_worked_on_is_served_before_the_next(ledger: Ledger, end: str) -> None:
    """Else it would wait for two items of the other account, of which each may take its whole time."""
    ledger.submit(account="a", item_count=3)
    first = ledger.next_claim()
    ledger.submit(account="b", item_count=1)
    ends: dict[str, Callable[[], object]] = {
        "done": lambda: ledger.done(first),
        "fail": lambda: ledger.claims.fail(first, ERROR),
        "die": lambda: ledger.claims.give_back_owned(first.owner, died=True),
    }
    assert ends[end]()
    assert ledger.next_claim().account == "b"


def test_each_lane_has_its_own_line(ledger: Ledger) -> None:
    for account in ("alice", "bob"):
        ledger.submit(account=account, item_count=2)
    ledger.submit(account="bob", spec=OTHER_SPEC)
    ledger.next_claim(OTHER_LANE)
    assert [ledger.next_claim().account for _ in range(4)] == ["alice", "bob"] * 2


def fail(ledger: Ledger, count: int, error: ErrorFacts = STOPPED) -> None:
    for _ in range(count):
        assert ledger.claims.fail(ledger.claimed(account="mallory"), error)


def order(ledger: Ledger) -> list[str]:
    """Whose items are served while two accounts have three each, and each ends before the next begins."""
    for account in ("mallory", "alice"):
        ledger.submit(account=account, item_count=3)
    served = []
    for _ in range(6):
        claim = ledger.next_claim()
        served.append(claim.account)
        assert ledger.done(claim)
    return served


def test_who_has_strikes_is_served_behind_all_others(ledger: Ledger) -> None:
    fail(ledger, HELD_BACK)
    assert order(ledger) == ["alice"] * 3 + ["mallory"] * 3


def test_one_strike_less_changes_nothing(ledger: Ledger) -> None:
    fail(ledger, HELD_BACK - 1)
    assert order(ledger) == ["mallory", "alice"] * 3


@pytest.mark.parametrize(("error", "counts"), [(HUNG, True), (STOPPED, True), (DAMAGED, False)])
def test_what_counts(ledger: Ledger, error: ErrorFacts, counts: bool) -> None:
    fail(ledger, HELD_BACK, error)
    assert (order(ledger)[0] == "alice") == counts


def test_what_took_long_counts_however_it_ended_and_is_not_charged(ledger: Ledger) -> None:
    for _ in range(HELD_BACK - 1):
        claim = ledger.claimed(account="mallory")
        assert ledger.claims.finish(claim, result_of(claim), slow=True)
    claim = ledger.claimed(account="mallory", price=7)
    assert ledger.limited(charge_strikes=True).claims.fail(claim, DAMAGED, slow=True)
    assert ledger.booked("mallory") == HELD_BACK - 1
    assert order(ledger)[0] == "alice"


def test_strikes_pass(ledger: Ledger) -> None:
    fail(ledger, HELD_BACK)
    ledger.clock.advance(LIMITS.strike_seconds - 60)
    assert order(ledger)[0] == "alice"
    ledger.clock.advance(60)
    assert order(ledger)[0] == "mallory"


def test_only_as_many_of_late_count(ledger: Ledger) -> None:
    fail(ledger, HELD_BACK - 1)
    ledger.clock.advance(LIMITS.strike_seconds)
    fail(ledger, HELD_BACK - 1)
    assert order(ledger)[0] == "mallory"


def test_who_has_strikes_has_one_item_at_a_time(ledger: Ledger) -> None:
    fail(ledger, HELD_BACK)
    ledger.submit(account="mallory", item_count=3)
    first = ledger.next_claim()
    assert ledger.no_claim()
    assert ledger.done(first)
    second = ledger.next_claim()
    assert ledger.no_claim()
    assert ledger.claims.give_back(second)
    again = ledger.next_claim()
    assert (again.task, again.index) == (second.task, second.index)
    assert ledger.claims.give_back_owned(again.owner, died=True) == 1
    assert ledger.next_claim().account == "mallory"


def test_others_are_served_beside_it(ledger: Ledger) -> None:
    fail(ledger, HELD_BACK)
    ledger.submit(account="mallory", item_count=2)
    ledger.next_claim()
    ledger.submit(account="alice", item_count=2)
    assert [ledger.next_claim().account for _ in range(2)] == ["alice"] * 2
    assert ledger.no_claim()


class TestWorkersThatDie:
    def test_a_first_death_is_not_held_against_anybody(self, ledger: Ledger) -> None:
        for _ in range(HELD_BACK):
            ledger.claimed(account="mallory")
        assert ledger.claims.give_back_owned("worker-1", died=True) == HELD_BACK
        assert [ledger.next_claim().account for _ in range(HELD_BACK)] == ["mallory"] * HELD_BACK

    def test_from_the_second_on_it_is(self, ledger: Ledger) -> None:
        """Two items that kill every worker have four strikes."""
        for _ in range(2):
            claim = ledger.claimed(account="mallory")
            for _ in range(LIMITS.max_attempts):
                assert ledger.claims.give_back_owned("worker-1", died=True) == 1
                ledger.claims.take([LANE], "worker-1", new_token())
            assert ledger.error(claim).kind == WorkerLost.kind
        assert order(ledger)[0] == "alice"

    def test_who_hangs_until_the_deadline_has_a_strike(self, ledger: Ledger) -> None:
        for _ in range(HELD_BACK):
            claim = ledger.claimed(account="mallory")
            for _ in range(10):
                ledger.clock.advance(LIMITS.job_timeout_seconds / 10)
                ledger.claims.renew(claim, Phase.COMPUTING)
            assert ledger.upkeep.reap().too_slow == 1
        assert order(ledger)[0] == "alice"


class TestPrice:
    @pytest.fixture(params=[False, True], ids=["free", "charged"])
    def limits(self, request: pytest.FixtureRequest) -> LedgerLimits:
        return LIMITS.model_copy(update={"charge_strikes": request.param})

    def test_it_is_released_unless_the_operator_charges_it(self, ledger: Ledger, limits: LedgerLimits) -> None:
        ledger.accounts.grant("alice", 100)
        stopped, damaged, hung = ledger.claimed_items(item_count=3, price=7)
        assert ledger.claims.fail(stopped, STOPPED)
        assert ledger.claims.fail(damaged, DAMAGED)
        for _ in range(10):
            ledger.clock.advance(limits.job_timeout_seconds / 10)
            ledger.claims.renew(hung, Phase.COMPUTING)
        assert ledger.claims.give_back_owned(hung.owner, died=True) == 1
        used = 14 if limits.charge_strikes else 0
        assert ledger.accounts.balance("alice") == Balance(granted=100, used=used, reserved=0)
        assert ledger.booked("alice") == ledger.task(stopped.task).booked == used
        assert [item.charged for item in ledger.task(stopped.task).items] == [used > 0, False, used > 0]

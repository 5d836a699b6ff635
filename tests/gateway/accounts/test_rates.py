"""Request rates, on the server's clock."""

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Rate, RateExceeded, RequestLimits, rate_headers
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.answers import Allowance
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import RateUse
from cutgate.jobs.redis_client import connect
from tests.fakes import ManualClock
from tests.gateway.harness import MASTER_KEY, make_settings
from tests.jobs.build import run_at_once
from tests.ledgers import FreshLedger


def limits_of(ledger: Ledger, **rates: Any) -> RequestLimits:
    """Rates whose burst is what may come in a second."""
    return RequestLimits(ledger, make_settings(account_queue_cap=1, **rates))


def take(
    limits: RequestLimits, account: str = "anna", rate: Rate = Rate.SUBMIT, weight: int = 1, **terms: int
) -> Allowance:
    credential = Credential(name="key", account=Account(name=account, terms=Terms(**terms)))
    entry = limits.entry(credential, rate)
    entry.weigh(weight)
    try:
        limits.count(entry)
    except RateExceeded:
        assert entry.allowance is not None
        assert not entry.allowance.granted
    assert entry.allowance is not None
    return entry.allowance


@pytest.fixture
def ledger(clock: ManualClock) -> FreshLedger:
    return FreshLedger(clock=clock)


@pytest.fixture
def own_server(redis_url: str, key_prefix: str) -> Iterator[Ledger]:
    with connect(redis_url) as client:
        yield Ledger(client, LedgerLimits(), key_prefix=key_prefix)


class TestAccounts:
    def test_what_is_left_is_told_before_it_is_used_up(self, ledger: FreshLedger) -> None:
        limits = limits_of(ledger, submits_per_second=3)
        answers = [take(limits) for _ in range(4)]
        assert [answer.granted for answer in answers] == [True, True, True, False]
        assert [answer.remaining for answer in answers] == [2, 1, 0, 0]
        assert {answer.limit for answer in answers} == {3}
        assert answers[-1].frees_in_seconds == pytest.approx(1 / 3, abs=0.1)

    def test_places_come_free_one_by_one(self, ledger: FreshLedger, clock: ManualClock) -> None:
        limits = limits_of(ledger, submits_per_second=100)
        assert take(limits, weight=100).remaining == 0
        clock.advance(0.5)
        # A fixed window would let none through, or all of them.
        assert 50 <= take(limits).remaining + 1 < 100
        clock.advance(2)
        assert take(limits).remaining == 99, "more than all do not add up"

    def test_who_keeps_to_the_rate_is_never_refused(self, ledger: FreshLedger, clock: ManualClock) -> None:
        limits = limits_of(ledger, submits_per_second=4)
        assert take(limits, weight=3).granted
        for _ in range(40):
            assert take(limits).granted
            clock.advance(0.25)

    def test_what_is_refused_does_not_count(self, ledger: FreshLedger, clock: ManualClock) -> None:
        limits = limits_of(ledger, submits_per_second=1)
        assert take(limits).granted
        assert not any(take(limits).granted for _ in range(5))
        clock.advance(1)
        assert take(limits).granted

    def test_an_accounts_own_terms_count_instead(self, ledger: FreshLedger) -> None:
        limits = limits_of(ledger, submits_per_second=1, polls_per_second=1)
        own: dict[str, Any] = {"submits_per_second": 3, "polls_per_second": 2}
        assert [take(limits, **own).granted for _ in range(4)] == [True, True, True, False]
        assert [take(limits, rate=Rate.POLL, **own).granted for _ in range(3)] == [True, True, False]

    @pytest.mark.parametrize(
        ("rate", "own", "burst"),
        [
            (Rate.SUBMIT, {}, 500),
            (Rate.POLL, {}, 600),  # whole seconds of the rate
            (Rate.SUBMIT, {"queue_cap": 7}, 10),
            (Rate.SUBMIT, {"queue_cap": 7, "submits_per_second": 2}, 8),
        ],
    )
    def test_a_whole_queue_may_come_at_once(
        self, ledger: FreshLedger, rate: Rate, own: dict[str, Any], burst: int
    ) -> None:
        limits = RequestLimits(ledger, GatewaySettings(master_key=MASTER_KEY))
        first = take(limits, rate=rate, weight=burst - 1, **own)
        assert (first.granted, first.limit, first.remaining) == (True, burst, 1)

    def test_fifty_at_once_get_ten(self, ledger: FreshLedger) -> None:
        limits = limits_of(ledger, submits_per_second=10)
        at_a_standstill = time.monotonic()
        granted = [answer.granted for answer in run_at_once(50, lambda _: take(limits))].count(True)
        assert 10 <= granted <= 10 * (1 + time.monotonic() - at_a_standstill)

    def test_a_heavy_request_is_told_when_it_will_fit(self, ledger: FreshLedger) -> None:
        limits = limits_of(ledger, polls_per_second=4)
        assert take(limits, rate=Rate.POLL, weight=3).remaining == 1
        refused = take(limits, rate=Rate.POLL, weight=3)
        assert not refused.granted
        # Two more have to come free: the next alone is not enough.
        assert refused.frees_in_seconds == pytest.approx(0.5, abs=0.1)
        assert take(limits, rate=Rate.POLL, weight=1_000).limit == 4, "all places are enough for anything"

    def test_the_headers(self) -> None:
        allowance = Allowance(
            granted=True, limit=10, remaining=4, frees_at_seconds=1_700_000_000.25, frees_in_seconds=0
        )
        headers = {"Limit": "10", "Remaining": "4", "Reset": "1700000001"}
        assert rate_headers(allowance) == {f"X-RateLimit-{name}": value for name, value in headers.items()}


def test_the_wait_is_whole_seconds_and_at_least_one() -> None:
    def wait(in_seconds: float) -> int:
        allowance = Allowance(granted=False, limit=1, remaining=0, frees_at_seconds=0, frees_in_seconds=in_seconds)
        return RateExceeded(RateUse(name="a", limit=1, seconds=1), allowance).retry_after_seconds

    assert [wait(seconds) for seconds in (-5, 0.2, 30.5)] == [1, 1, math.ceil(30.5)]


def test_processes_share_their_rates(redis_url: str, key_prefix: str) -> None:
    granted = []
    for _ in range(3):
        with connect(redis_url) as client:
            limits = limits_of(Ledger(client, LedgerLimits(), key_prefix=key_prefix), submits_per_second=1)
            granted.append(take(limits, weight=1).granted)
    assert granted == [True, False, False]


def test_a_rate_that_is_not_used_takes_no_room(redis_url: str, own_server: Ledger, key_prefix: str) -> None:
    take(limits_of(own_server, submits_per_second=1))
    with connect(redis_url) as client:
        [name] = client.scan_iter(f"{key_prefix}*")
        assert 0 < client.pttl(name) <= 1_000

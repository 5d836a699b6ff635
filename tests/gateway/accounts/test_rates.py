"""Request rates: one behaviour on every storage."""

import math
import time
from typing import Any

import pytest
from limits.storage import Storage

from cutgate.gateway.accounts.rates import Allowance, Rate, RateExceeded, RequestLimits, redis_storage
from cutgate.gateway.accounts.records import Terms
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.redis.client import connect
from tests.gateway.harness import make_settings
from tests.jobs.build import run_at_once

HERE = "192.0.2.7"


def limits_of(windows: Storage, **rates: Any) -> RequestLimits:
    return RequestLimits(windows, make_settings(**rates))


def take(limits: RequestLimits, account: str = "anna", rate: Rate = Rate.SUBMIT, **terms: int) -> Allowance:
    return limits.take(account, Terms(**terms), rate)


def refused(limits: RequestLimits, address: str | None) -> bool:
    try:
        limits.check_address(address)
    except RateExceeded:
        return True
    return False


class TestAccounts:
    def test_what_is_left_is_told_before_it_is_used_up(self, windows: Storage) -> None:
        limits = limits_of(windows, submits_per_second=3)
        before = time.time()
        answers = [take(limits) for _ in range(4)]
        assert [answer.granted for answer in answers] == [True, True, True, False]
        assert [answer.remaining for answer in answers] == [2, 1, 0, 0]
        assert {answer.limit for answer in answers} == {3}
        for answer in answers:
            # Redis keeps a time to a tenth of a millisecond.
            assert before + 0.999 < answer.frees_at_seconds < time.time() + 1.001

    def test_the_window_moves(self, windows: Storage) -> None:
        limits = limits_of(windows, submits_per_second=2)
        first = take(limits)
        time.sleep(0.5)
        assert take(limits).granted
        assert not take(limits).granted
        time.sleep(max(0.0, first.frees_at_seconds - time.time()) + 0.02)
        # A fixed window would let two through here.
        assert [take(limits).granted for _ in range(2)] == [True, False]

    def test_what_is_refused_does_not_count(self, windows: Storage) -> None:
        limits = limits_of(windows, submits_per_second=1)
        first = take(limits)
        while time.time() < first.frees_at_seconds - 0.1:
            assert not take(limits).granted
            time.sleep(0.05)
        time.sleep(0.15)
        assert take(limits).granted

    def test_accounts_and_rates_have_windows_of_their_own(self, windows: Storage) -> None:
        limits = limits_of(windows, submits_per_second=1, polls_per_second=2)
        assert take(limits).granted
        assert not take(limits).granted
        assert take(limits, "bert").granted
        assert [take(limits, rate=Rate.POLL).granted for _ in range(3)] == [True, True, False]

    def test_an_accounts_own_terms_count_instead(self, windows: Storage) -> None:
        limits = limits_of(windows, submits_per_second=1, polls_per_second=1)
        own: dict[str, Any] = {"submits_per_second": 3, "polls_per_second": 2}
        assert [take(limits, **own).granted for _ in range(4)] == [True, True, True, False]
        assert [take(limits, rate=Rate.POLL, **own).granted for _ in range(3)] == [True, True, False]

    def test_fifty_at_once_get_ten(self, windows: Storage) -> None:
        limits = limits_of(windows, submits_per_second=10)
        answers = run_at_once(50, lambda _: take(limits))
        assert [answer.granted for answer in answers].count(True) == 10

    def test_the_headers(self) -> None:
        allowance = Allowance(granted=True, limit=10, remaining=4, frees_at_seconds=1_700_000_000.25)
        headers = {"Limit": "10", "Remaining": "4", "Reset": "1700000001"}
        assert allowance.headers() == {f"X-RateLimit-{name}": value for name, value in headers.items()}


class TestAddresses:
    def test_failures_up_to_the_limit_are_let_pass(self, windows: Storage) -> None:
        limits = limits_of(windows, failed_signatures_per_minute=2)
        verdicts = []
        for _ in range(3):
            verdicts.append(refused(limits, HERE))
            limits.count_failure(HERE)
        assert verdicts == [False, False, True]
        assert not refused(limits, "192.0.2.8")

    def test_it_says_when_to_come_back(self, windows: Storage) -> None:
        limits = limits_of(windows, failed_signatures_per_minute=1)
        limits.count_failure(HERE)
        with pytest.raises(RateExceeded) as refusal:
            limits.check_address(HERE)
        assert 58 <= refusal.value.retry_after_seconds <= 60
        assert HERE not in str(refusal.value)

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ("::ffff:192.0.2.7", "192.0.2.7", True),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
            (None, "no address", True),
            ("fe80::1%eth0", "fe80::2%eth1", True),
        ],
    )
    def test_one_subscriber_is_one_address(
        self, windows: Storage, one: str | None, other: str | None, same: bool
    ) -> None:
        limits = limits_of(windows, failed_signatures_per_minute=1)
        limits.count_failure(one)
        assert refused(limits, one)
        assert refused(limits, other) is same


def test_the_wait_is_whole_seconds_and_at_least_one() -> None:
    def wait(in_seconds: float) -> int:
        frees_at = time.time() + in_seconds
        allowance = Allowance(granted=False, limit=1, remaining=0, frees_at_seconds=frees_at)
        return RateExceeded(allowance).retry_after_seconds

    assert [wait(seconds) for seconds in (-5, 0.2, 30.5)] == [1, 1, math.ceil(30.5)]


def test_processes_share_their_windows(redis_url: str, key_prefix: str) -> None:
    granted = []
    for _ in range(3):
        with connect(redis_url) as client:
            limits = limits_of(redis_storage(client, key_prefix=key_prefix), submits_per_second=2)
            granted.append(take(limits).granted)
    assert granted == [True, True, False]


def test_windows_vanish_with_their_seconds(redis_url: str, key_prefix: str) -> None:
    with connect(redis_url) as client:
        limits = limits_of(redis_storage(client, key_prefix=key_prefix))
        take(limits)
        limits.count_failure(HERE)
        lifetimes = sorted(client.ttl(name) for name in client.scan_iter(f"{key_prefix}*"))
    assert lifetimes == [pytest.approx(1, abs=1), pytest.approx(60, abs=1)]


def test_a_storage_that_is_away() -> None:
    with connect("unix:///nowhere/redis.sock", connect_timeout_seconds=0.1) as client:
        limits = limits_of(redis_storage(client))
        for call in (lambda: take(limits), lambda: limits.check_address(HERE), lambda: limits.count_failure(HERE)):
            with pytest.raises(LedgerUnavailable):
                call()

"""Request rates, in windows on the server's clock."""

import math
import time
from typing import Any

import pytest

from cutgate.gateway.accounts.rates import Rate, RateExceeded, RequestLimits
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.accounts.windows import Allowance, Windows
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.redis.client import connect
from tests.gateway.harness import make_settings
from tests.jobs.build import run_at_once


def limits_of(windows: Windows, **rates: Any) -> RequestLimits:
    return RequestLimits(windows, make_settings(**rates))


def take(limits: RequestLimits, account: str = "anna", rate: Rate = Rate.SUBMIT, **terms: int) -> Allowance:
    return limits.take(account, Terms(**terms), rate)


class TestAccounts:
    def test_what_is_left_is_told_before_it_is_used_up(self, windows: Windows) -> None:
        limits = limits_of(windows, submits_per_second=3)
        before = time.time()
        answers = [take(limits) for _ in range(4)]
        assert [answer.granted for answer in answers] == [True, True, True, False]
        assert [answer.remaining for answer in answers] == [2, 1, 0, 0]
        assert {answer.limit for answer in answers} == {3}
        for answer in answers:
            assert before + 0.999 < answer.frees_at_seconds < time.time() + 1.001

    def test_the_window_moves(self, windows: Windows) -> None:
        limits = limits_of(windows, submits_per_second=2)
        first = take(limits)
        time.sleep(0.5)
        assert take(limits).granted
        assert not take(limits).granted
        time.sleep(max(0.0, first.frees_at_seconds - time.time()) + 0.02)
        # A fixed window would let two through here.
        assert [take(limits).granted for _ in range(2)] == [True, False]

    def test_what_is_refused_does_not_count(self, windows: Windows) -> None:
        limits = limits_of(windows, submits_per_second=1)
        first = take(limits)
        while time.time() < first.frees_at_seconds - 0.1:
            assert not take(limits).granted
            time.sleep(0.05)
        time.sleep(0.15)
        assert take(limits).granted

    def test_accounts_and_rates_have_windows_of_their_own(self, windows: Windows) -> None:
        limits = limits_of(windows, submits_per_second=1, polls_per_second=2)
        assert take(limits).granted
        assert not take(limits).granted
        assert take(limits, "bert").granted
        assert [take(limits, rate=Rate.POLL).granted for _ in range(3)] == [True, True, False]

    def test_an_accounts_own_terms_count_instead(self, windows: Windows) -> None:
        limits = limits_of(windows, submits_per_second=1, polls_per_second=1)
        own: dict[str, Any] = {"submits_per_second": 3, "polls_per_second": 2}
        assert [take(limits, **own).granted for _ in range(4)] == [True, True, True, False]
        assert [take(limits, rate=Rate.POLL, **own).granted for _ in range(3)] == [True, True, False]

    def test_fifty_at_once_get_ten(self, windows: Windows) -> None:
        limits = limits_of(windows, submits_per_second=10)
        answers = run_at_once(50, lambda _: take(limits))
        assert [answer.granted for answer in answers].count(True) == 10

    def test_the_headers(self) -> None:
        allowance = Allowance(
            granted=True, limit=10, remaining=4, frees_at_seconds=1_700_000_000.25, frees_in_seconds=0
        )
        headers = {"Limit": "10", "Remaining": "4", "Reset": "1700000001"}
        assert allowance.headers() == {f"X-RateLimit-{name}": value for name, value in headers.items()}


def test_the_wait_is_whole_seconds_and_at_least_one() -> None:
    def wait(in_seconds: float) -> int:
        allowance = Allowance(granted=False, limit=1, remaining=0, frees_at_seconds=0, frees_in_seconds=in_seconds)
        return RateExceeded(allowance).retry_after_seconds

    assert [wait(seconds) for seconds in (-5, 0.2, 30.5)] == [1, 1, math.ceil(30.5)]


def test_processes_share_their_windows(redis_url: str, key_prefix: str) -> None:
    granted = []
    for _ in range(3):
        with connect(redis_url) as client:
            limits = limits_of(Windows(client, key_prefix=key_prefix), submits_per_second=2)
            granted.append(take(limits).granted)
    assert granted == [True, True, False]


def test_windows_vanish_with_their_seconds(redis_url: str, key_prefix: str) -> None:
    with connect(redis_url) as client:
        take(limits_of(Windows(client, key_prefix=key_prefix)))
        [name] = client.scan_iter(f"{key_prefix}*")
        assert 0 < client.pttl(name) <= 1_000


def test_a_server_that_is_away() -> None:
    with (
        connect("unix:///nowhere/redis.sock", connect_timeout_seconds=0.1) as client,
        pytest.raises(LedgerUnavailable),
    ):
        take(limits_of(Windows(client)))


def test_the_clock_is_the_servers(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways on hosts whose clocks differ by an hour count in one window, and none keeps the other out."""
    limits = limits_of(windows, submits_per_second=2)
    first = take(limits)
    monkeypatch.setattr("time.time", lambda: first.frees_at_seconds + 3_600)
    assert [take(limits).granted for _ in range(2)] == [True, False]
    monkeypatch.undo()
    assert not take(limits).granted


def test_a_heavy_request_is_told_when_it_will_fit(windows: Windows) -> None:
    limits = limits_of(windows, polls_per_second=4)
    take(limits, rate=Rate.POLL)
    time.sleep(0.4)
    late = limits.take("anna", Terms(), Rate.POLL, weight=3)
    refused = limits.take("anna", Terms(), Rate.POLL, weight=3)
    assert (late.granted, refused.granted, refused.remaining) == (True, False, 0)
    # Three must leave: the first alone is not enough.
    assert refused.frees_in_seconds == pytest.approx(1, abs=0.3)
    assert late.frees_in_seconds <= 0.6

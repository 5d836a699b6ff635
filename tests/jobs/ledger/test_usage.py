"""Who used how much on which day: counted in the step that ends an item, each item once, on the server's days."""

from datetime import date, timedelta

import pytest

from cutgate.jobs.answers import Balance, Usage
from cutgate.jobs.errors import DecodingStopped
from cutgate.jobs.ledger import accounts
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.ledger.keys import USAGE_DAYS
from cutgate.jobs.limits import LedgerLimits
from tests.jobs.build import Ledger

DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1)


@pytest.fixture
def limits() -> LedgerLimits:
    """The clock runs ahead of the tasks' ids by months."""
    return LedgerLimits(source_max_age_seconds=1e9)


def test_what_harms_may_be_charged(ledger: Ledger) -> None:
    charging = ledger.limited(charge_strikes=True)
    assert charging.claims.fail(
        charging.claimed(price=3), DecodingStopped("the picture breaks its decoder").facts()
    )
    assert ledger.used() == Usage(failed=1, credits=3)


def test_it_is_by_account_and_day(ledger: Ledger) -> None:
    first = ledger.wait_for_noon()
    for account, price in (("bob", 2), ("alice", 1), ("alice", 4)):
        assert ledger.done(ledger.claimed(account=account, price=price))
    ledger.clock.advance(86_400)
    ledger.ended_task(account="alice")
    found = ledger.accounts.usage(first, first + DAY)
    assert found == {
        "alice": {first: Usage(done=2, credits=5), first + DAY: Usage(failed=1)},
        "bob": {first: Usage(done=1, credits=2)},
    }
    assert list(found) == ["alice", "bob"]
    assert ledger.accounts.usage(first, first) == {
        "alice": {first: Usage(done=2, credits=5)},
        "bob": {first: Usage(done=1, credits=2)},
    }
    assert ledger.accounts.usage(first + DAY, first + 60 * DAY) == {"alice": {first + DAY: Usage(failed=1)}}
    assert ledger.accounts.usage(first, first + DAY, "bob") == {"bob": {first: Usage(done=1, credits=2)}}
    assert ledger.accounts.usage(first, first + DAY, "nobody") == {}
    assert ledger.accounts.usage(first - 60 * DAY, first - DAY) == {}


def test_the_day_turns_at_midnight_in_utc(ledger: Ledger) -> None:
    first = ledger.wait_for_noon()
    ledger.clock.advance(43_200 - 60)
    assert ledger.done(ledger.claimed())
    ledger.clock.advance(120)
    assert ledger.done(ledger.claimed())
    assert ledger.accounts.usage(first, first + DAY)["alice"] == {
        first: Usage(done=1, credits=1),
        first + DAY: Usage(done=1, credits=1),
    }


def test_a_quarter_of_it(ledger: Ledger) -> None:
    """Every day is found again, whichever hash it is in, and each hash has its compact form."""
    first = ledger.wait_for_noon()
    for _ in range(USAGE_DAYS * 3):
        assert ledger.done(ledger.claimed())
        ledger.ended_task()
        ledger.clock.advance(86_400)
    days = [first + number * DAY for number in range(USAGE_DAYS * 3)]
    found = ledger.accounts.usage(first, days[-1])["alice"]
    assert list(found) == days
    assert set(found.values()) == {Usage(done=1, failed=1, credits=1)}
    names = [*map(str, ledger.client.zrange(f"{ledger.key_prefix}usages", 0, -1))]
    assert len(names) in {3, 4}
    encodings = {ledger.client.object("encoding", f"{ledger.key_prefix}usage:{name}") for name in names}
    assert encodings <= {"listpack", "ziplist"}


def test_it_goes_after_its_retention(ledger: Ledger) -> None:
    kept_days = 400
    first = ledger.wait_for_noon()
    for number in range(BATCH + 3):
        assert ledger.done(ledger.claimed(account=f"account-{number}"))
    ledger.clock.advance(kept_days * 86_400 - 60)
    assert ledger.done(ledger.claimed())
    assert ledger.upkeep.forget_usage() == 0
    assert len(ledger.accounts.usage(first, first)) == BATCH + 3
    ledger.clock.advance((USAGE_DAYS + 1) * 86_400)
    assert [ledger.upkeep.forget_usage() for _ in range(3)] == [BATCH, 3, 0]
    assert ledger.accounts.usage(first, first) == {}
    assert ledger.used() == Usage(done=1, credits=1)
    assert not ledger.client.exists(f"{ledger.key_prefix}usage:account-0/{(first - EPOCH).days // USAGE_DAYS}")


def test_tasks_that_are_forgotten_leave_their_usage(ledger: Ledger) -> None:
    claim = ledger.claimed(price=3)
    assert ledger.done(claim)
    ledger.clock.advance(ledger.limits.retention_seconds + 1)
    assert ledger.expired() == (claim.task,)
    ledger.upkeep.forget([claim.task])
    assert ledger.used() == Usage(done=1, credits=3)


def test_many_accounts_are_asked_for_some_at_a_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "USAGE_AT_ONCE", 2)
    today = ledger.wait_for_noon()
    for number in range(5):
        assert ledger.done(ledger.claimed(account=f"shop-{number}", price=number))
    found = ledger.accounts.usage(today, today)
    assert {name: days[today].credits for name, days in found.items()} == {f"shop-{n}": n for n in range(5)}


def test_credits_of_many_accounts(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 10)
    assert ledger.done(ledger.claimed(account="alice", price=3))
    assert ledger.done(ledger.claimed(account="bob", price=2))
    ledger.submit(account="alice")
    assert ledger.accounts.credits(["bob", "alice", "nobody"]) == [
        (None, 2),
        (Balance(granted=10, used=3, reserved=1), 3),
        (None, 0),
    ]
    assert ledger.accounts.credits([]) == []

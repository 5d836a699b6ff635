"""Addresses that wrong keys come from, and what a right one opens."""

import pytest

from cutgate.gateway.accounts.authentication import AddressShutOut, ClientAddresses
from cutgate.gateway.accounts.recent import MAX_NAMES
from cutgate.jobs.ledger.ledger import Ledger
from tests.fakes import ManualClock
from tests.gateway.harness import make_settings
from tests.ledgers import FreshLedger

HERE, THERE = "192.0.2.7", "192.0.2.8"


def addresses_of(ledger: Ledger, clock: ManualClock | None = None, *, failures: int = 1) -> ClientAddresses:
    settings = make_settings(failed_signatures_per_minute=failures)
    return ClientAddresses(ledger, settings, clock or ManualClock())


def shut_out(addresses: ClientAddresses, address: str | None, public_key: str | None = None) -> bool:
    """Whether one more failure is one too many."""
    try:
        addresses.fail(address, public_key)
    except AddressShutOut:
        return True
    return False


def passes(addresses: ClientAddresses, address: str | None) -> bool:
    """Whether a large body from there is let in."""
    try:
        addresses.check(address)
    except AddressShutOut:
        return False
    return True


def test_it_ends_with_its_time(ledger: FreshLedger, clock: ManualClock) -> None:
    addresses = addresses_of(ledger, clock)
    assert [shut_out(addresses, HERE) for _ in range(2)] == [False, True]
    clock.advance(30)
    assert not passes(addresses, HERE)
    clock.advance(30.1)
    assert passes(addresses, HERE)


def test_a_right_key_opens_its_address_for_a_while(ledger: FreshLedger, clock: ManualClock) -> None:
    addresses = addresses_of(ledger, clock)
    assert [shut_out(addresses, HERE) for _ in range(2)] == [False, True]
    addresses.prove(HERE)
    assert passes(addresses, HERE)
    assert shut_out(addresses, HERE), "wrong ones are told all the same"
    clock.advance(3_601)
    assert passes(addresses, HERE), "the shutting out is over, too"
    assert shut_out(addresses, HERE)
    assert not passes(addresses, HERE)


def test_what_is_remembered_is_bounded(ledger: FreshLedger) -> None:
    addresses = addresses_of(ledger)
    for number in range(MAX_NAMES + 1):
        addresses.prove(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(addresses._proven._values) == MAX_NAMES
    assert addresses._proven.get("10.0.0.0") is None


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
    ledger: FreshLedger, one: str | None, other: str | None, same: bool
) -> None:
    addresses = addresses_of(ledger)
    assert not shut_out(addresses, one)
    assert shut_out(addresses, one)
    assert not passes(addresses, one)
    assert passes(addresses, other) is not same


def test_failures_are_counted_over_processes(ledger: FreshLedger) -> None:
    assert [shut_out(addresses_of(ledger), HERE) for _ in range(2)] == [False, True]

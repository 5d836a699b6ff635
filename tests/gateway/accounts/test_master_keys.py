"""The master key replaced while the service runs: both keys count, and then every secret is under the new one."""

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.records import AccountError, Resealed
from cutgate.gateway.accounts.tables import PAIRS, KeyTable
from tests.gateway.harness import there

OLD, NEW = b"o" * 32, b"n" * 32


def with_keys(table: KeyTable, *master_keys: bytes) -> Accounts:
    """What a process with these master keys sees."""
    return Accounts(table, master_keys)


def outcomes(accounts: Accounts) -> list[Resealed]:
    return [outcome for _, outcome in (*KeyPairs(accounts).reseal(), *accounts.reseal())]


@pytest.fixture
def secret(key_table: KeyTable) -> str:
    """The callback secret of an account whose pair `one` has two private keys, under the old key."""
    accounts = with_keys(key_table, OLD)
    KeyPairs(accounts).add("anna", public_key="one", private_key="first")
    KeyPairs(accounts).rotate("one")
    return there(accounts.set_callback("anna", "https://example.com/").callback_secret)


def test_both_open_and_the_first_one_seals(key_table: KeyTable, secret: str) -> None:
    both = with_keys(key_table, NEW, OLD)
    assert both.callback_secret("anna") == secret
    KeyPairs(both).add("bert", public_key="two", private_key="second")
    assert there(KeyPairs(with_keys(key_table, NEW)).find("two")).private_keys == ("second",)
    with pytest.raises(AccountError, match="cannot be read with this master key"):
        KeyPairs(with_keys(key_table, OLD)).find("two")


def test_resealed_the_old_key_is_needed_no_more_and_a_repeat_changes_nothing(
    key_table: KeyTable, secret: str
) -> None:
    before = there(KeyPairs(with_keys(key_table, OLD)).find("one"))
    both = with_keys(key_table, NEW, OLD)
    assert outcomes(both) == [Resealed.DONE, Resealed.DONE]
    alone = with_keys(key_table, NEW)
    assert KeyPairs(alone).find("one") == before
    assert alone.callback_secret("anna") == secret
    stored = key_table.all(PAIRS)
    assert outcomes(both) == [Resealed.BEFORE, Resealed.BEFORE]
    assert key_table.all(PAIRS) == stored


def test_what_no_key_opens_stays_and_is_told(key_table: KeyTable, secret: str) -> None:
    stored = key_table.all(PAIRS)
    assert outcomes(with_keys(key_table, NEW)) == [Resealed.UNREADABLE, Resealed.UNREADABLE]
    assert key_table.all(PAIRS) == stored
    assert with_keys(key_table, OLD).callback_secret("anna") == secret


def test_what_a_process_with_the_old_key_alone_changes_meanwhile_is_kept(key_table: KeyTable, secret: str) -> None:
    old, both, new = (KeyPairs(with_keys(key_table, *keys)) for keys in ((OLD,), (NEW, OLD), (NEW,)))
    old.add("anna", public_key="two")
    resealing = both.reseal()
    first, outcome = next(resealing)
    assert outcome is Resealed.DONE
    (unread,) = {"one", "two"} - {first}
    made = old.rotate(unread).private_key
    assert [outcome for _, outcome in resealing] == [Resealed.DONE]
    assert there(new.find(unread)).private_keys[-1] == made
    assert secret not in str(key_table.all(PAIRS))

"""The master key replaced while the service runs: both keys count, and then every secret is under the new one."""

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.records import AccountError
from cutgate.gateway.accounts.tables import CREDENTIALS, KeyTable, Resealed
from tests.gateway.harness import there
from tests.ledgers import stored_records

OLD, NEW = b"o" * 32, b"n" * 32


def with_keys(table: KeyTable, *master_keys: bytes) -> Accounts:
    """What a process with these master keys sees."""
    return Accounts(table, master_keys)


def outcomes(accounts: Accounts) -> list[Resealed]:
    return [outcome for _, outcome in (*Credentials(accounts).reseal(), *accounts.reseal())]


@pytest.fixture
def secret(key_table: KeyTable) -> str:
    """The callback secret of an account whose pair `one` has two private keys, under the old key."""
    accounts = with_keys(key_table, OLD)
    Credentials(accounts).add_pair("anna", public_key="one", private_key="first")
    Credentials(accounts).rotate("one")
    return there(accounts.set_callback("anna", "https://example.com/"))


def test_both_open_and_the_first_one_seals(key_table: KeyTable, secret: str) -> None:
    both = with_keys(key_table, NEW, OLD)
    assert both.callback_secret("anna") == secret
    Credentials(both).add_pair("bert", public_key="two", private_key="second")
    assert there(Credentials(with_keys(key_table, NEW)).find_pair("two")).private_keys == ("second",)
    with pytest.raises(AccountError, match="cannot be read with this master key"):
        Credentials(with_keys(key_table, OLD)).find_pair("two")


def test_resealed_the_old_key_is_needed_no_more_and_a_repeat_changes_nothing(
    key_table: KeyTable, secret: str
) -> None:
    before = there(Credentials(with_keys(key_table, OLD)).find_pair("one"))
    both = with_keys(key_table, NEW, OLD)
    assert outcomes(both) == [Resealed.DONE, Resealed.DONE]
    alone = with_keys(key_table, NEW)
    assert Credentials(alone).find_pair("one") == before
    assert alone.callback_secret("anna") == secret
    stored = key_table.all(CREDENTIALS)
    assert outcomes(both) == [Resealed.BEFORE, Resealed.BEFORE]
    assert key_table.all(CREDENTIALS) == stored


def test_what_no_key_opens_stays_and_is_told(key_table: KeyTable, secret: str) -> None:
    stored = key_table.all(CREDENTIALS)
    assert outcomes(with_keys(key_table, NEW)) == [Resealed.UNREADABLE, Resealed.UNREADABLE]
    assert key_table.all(CREDENTIALS) == stored
    assert with_keys(key_table, OLD).callback_secret("anna") == secret


def test_what_a_process_with_the_old_key_alone_changes_meanwhile_is_kept(key_table: KeyTable, secret: str) -> None:
    old, both, new = (Credentials(with_keys(key_table, *keys)) for keys in ((OLD,), (NEW, OLD), (NEW,)))
    old.add_pair("anna", public_key="two")
    resealing = both.reseal()
    first, outcome = next(resealing)
    assert outcome is Resealed.DONE
    (unread,) = {"one", "two"} - {first}
    made = old.rotate(unread).private_key
    assert [outcome for _, outcome in resealing] == [Resealed.DONE]
    assert there(new.find_pair(unread)).private_keys[-1] == made
    assert secret not in str(stored_records(key_table, CREDENTIALS))

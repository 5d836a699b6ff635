"""Accounts: their terms, and the table that they lie in."""

import json
from typing import Any

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.records import AccountError, AccountRecord, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, CREDENTIALS, KeyTable
from tests.fakes import ManualClock
from tests.gateway.harness import there
from tests.ledgers import stored_records


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "a/b", "ü"])
def test_names_that_are_refused(credentials: Credentials, key_table: KeyTable, name: str) -> None:
    with pytest.raises(AccountError):
        credentials.add_pair(name)
    with pytest.raises(AccountError):
        credentials.add_api_key(name)
    assert not key_table.all(ACCOUNTS) | key_table.all(CREDENTIALS)


def test_terms_are_the_accounts_and_change_one_by_one(accounts: Accounts, credentials: Credentials) -> None:
    credentials.add_pair("anna", public_key="one", terms=Terms(price_credits=3, queue_cap=7))
    credentials.add_pair("anna", public_key="two", terms=Terms(price_credits=0))
    for key in ("one", "two"):
        assert there(credentials.find_pair(key)).account.terms == Terms(price_credits=0, queue_cap=7)
    changed = accounts.change("anna", terms=Terms(submits_per_second=2))
    assert changed.terms == Terms(price_credits=0, queue_cap=7, submits_per_second=2)
    assert accounts.record("anna") == changed
    forgetful = accounts.change("anna", terms=Terms(queue_cap=1), forget=Terms.model_fields)
    assert forgetful.terms == Terms(queue_cap=1)


def test_what_is_not_set_is_not_stored(credentials: Credentials, key_table: KeyTable) -> None:
    credentials.add_pair("anna", terms=Terms(queue_cap=7))
    (record,) = map(json.loads, stored_records(key_table, ACCOUNTS).values())
    assert record.keys() == {"created_at_seconds", "active", "terms"}
    assert record["terms"] == {"queue_cap": 7}
    (pair,) = map(json.loads, stored_records(key_table, CREDENTIALS).values())
    assert pair["private_keys"][0].keys() == {"sealed"}


def test_it_is_made_once(accounts: Accounts, credentials: Credentials, clock: ManualClock) -> None:
    credentials.add_pair("anna")
    made_at = accounts.record("anna").created_at_seconds
    clock.advance(seconds=60)
    credentials.add_api_key("anna")
    assert accounts.record("anna").created_at_seconds == made_at == pytest.approx(clock() - 60)
    assert list(accounts.all()) == ["anna"]


def test_accounts_that_are_not_there(accounts: Accounts) -> None:
    for call in (accounts.record, accounts.change, accounts.set_callback, accounts.drop_callback):
        with pytest.raises(AccountError, match="no account 'bert'"):
            call("bert")
    assert accounts.callback_secret("bert") is None


def test_what_stands_there_is_not_overwritten(key_table: KeyTable) -> None:
    one, other = AccountRecord(created_at_seconds=1), AccountRecord(created_at_seconds=2)
    # The second time stands for a call whose reply was lost.
    assert [key_table.add(ACCOUNTS, "a", record) for record in (one, one, other)] == [True, True, False]
    assert key_table.all(ACCOUNTS) == {"a": one}
    assert not key_table.all(CREDENTIALS)


def test_a_change_whose_reply_was_lost_is_done_once(key_table: KeyTable, monkeypatch: pytest.MonkeyPatch) -> None:
    key_table.add(ACCOUNTS, "a", AccountRecord(created_at_seconds=1))
    replace, changes = key_table._replace, []

    def repeated(**call: Any) -> object:
        replace(**call)
        return replace(**call)

    def later(record: AccountRecord) -> AccountRecord:
        changes.append(record)
        return AccountRecord(created_at_seconds=record.created_at_seconds + 1)

    monkeypatch.setattr(key_table, "_replace", repeated)
    assert key_table.change(ACCOUNTS, "a", later, missing="").created_at_seconds == 2
    assert len(changes) == 1

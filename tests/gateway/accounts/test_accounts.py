"""Accounts on every table, and what lies in it."""

from __future__ import annotations

import json

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.key_pairs import MAX_LIVE_KEYS, KeyPairs
from cutgate.gateway.accounts.records import AccountError, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, PAIRS, KeyTable
from tests.fakes import ManualClock
from tests.jobs.build import run_at_once

MASTER_KEY = bytes(32)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def accounts(key_table: KeyTable, clock: ManualClock) -> Accounts:
    return Accounts(key_table, MASTER_KEY, clock)


def live_keys(accounts: Accounts, public_key: str) -> tuple[str, ...]:
    found = KeyPairs(accounts).find(public_key)
    assert found is not None
    return found.private_keys


def test_a_pair_is_found_again(accounts: Accounts) -> None:
    made = KeyPairs(accounts).add("anna")
    account = KeyPairs(accounts).find(made.public_key)
    assert account is not None
    assert (account.name, account.public_key, account.private_keys) == (
        "anna",
        made.public_key,
        (made.private_key,),
    )


def test_an_account_may_have_several_pairs(accounts: Accounts) -> None:
    first, second = KeyPairs(accounts).add("anna"), KeyPairs(accounts).add("anna")
    assert first.public_key != second.public_key
    assert first.private_key != second.private_key
    for pair in (first, second):
        account = KeyPairs(accounts).find(pair.public_key)
        assert account is not None
        assert account.name == "anna"


def test_keys_that_clients_have_already(accounts: Accounts) -> None:
    KeyPairs(accounts).add("anna", public_key="abcdefg", private_key="zwölf 12")
    account = KeyPairs(accounts).find("abcdefg")
    assert account is not None
    assert account.private_keys == ("zwölf 12",)


@pytest.mark.parametrize("public_key", ["nobody", "", "Ü", "a\nb", "x" * 129])
def test_unknown_keys(accounts: Accounts, public_key: str) -> None:
    assert KeyPairs(accounts).find(public_key) is None


def test_a_public_key_is_never_given_twice(accounts: Accounts) -> None:
    KeyPairs(accounts).add("anna", public_key="abcdefg", private_key="first")
    with pytest.raises(AccountError, match="taken"):
        KeyPairs(accounts).add("bert", public_key="abcdefg", private_key="second")
    account = KeyPairs(accounts).find("abcdefg")
    assert account is not None
    assert (account.name, account.private_keys) == ("anna", ("first",))


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "a/b", "ü"])
def test_names_that_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError):
        KeyPairs(accounts).add(name)


@pytest.mark.parametrize("public_key", ["a b", "ü", "x" * 129])
def test_public_keys_that_are_refused(accounts: Accounts, public_key: str) -> None:
    with pytest.raises(AccountError):
        KeyPairs(accounts).add("anna", public_key=public_key, private_key="x")


def test_the_list_is_in_order_and_shows_no_private_key(accounts: Accounts) -> None:
    for name, key in (("bert", "b"), ("anna", "z"), ("anna", "a")):
        KeyPairs(accounts).add(name, public_key=key, private_key="secret")
    assert [(pair.account, pair.public_key) for pair in KeyPairs(accounts).list()] == [
        ("anna", "a"),
        ("anna", "z"),
        ("bert", "b"),
    ]
    assert "secret" not in repr(KeyPairs(accounts).list())


def test_private_keys_lie_encrypted(accounts: Accounts, key_table: KeyTable) -> None:
    made = KeyPairs(accounts).add("anna", public_key="one", private_key="a private key")
    same = KeyPairs(accounts).add("anna", public_key="two", private_key="a private key")
    first, second = key_table.all(PAIRS).values()
    assert "a private key" not in first + second
    assert json.loads(first)["private_keys"] != json.loads(second)["private_keys"]
    assert "a private key" not in repr((accounts, made, same, KeyPairs(accounts).find("one")))


def test_a_record_counts_for_its_own_public_key_and_master_key_only(
    accounts: Accounts, key_table: KeyTable
) -> None:
    KeyPairs(accounts).add("anna", public_key="one", private_key="secret")
    key_table.add(PAIRS, "two", key_table.all(PAIRS)["one"])
    with pytest.raises(AccountError):
        KeyPairs(accounts).find("two")
    with pytest.raises(AccountError):
        KeyPairs(Accounts(key_table, b"\1" * 32)).find("one")


class TestRotation:
    def test_both_keys_count_until_it_is_finished(self, accounts: Accounts, clock: ManualClock) -> None:
        old = KeyPairs(accounts).add("anna", public_key="one")
        new = KeyPairs(accounts).rotate("one")
        assert (new.account, new.public_key) == ("anna", "one")
        assert new.private_key != old.private_key
        clock.advance(seconds=10**9)
        assert live_keys(accounts, "one") == (old.private_key, new.private_key)
        KeyPairs(accounts).finish_rotation("one")
        assert live_keys(accounts, "one") == (new.private_key,)
        KeyPairs(accounts).finish_rotation("one")
        assert live_keys(accounts, "one") == (new.private_key,)

    def test_a_grace_time_ends_the_old_key(self, accounts: Accounts, clock: ManualClock) -> None:
        old = KeyPairs(accounts).add("anna", public_key="one")
        new = KeyPairs(accounts).rotate("one", grace_seconds=60)
        clock.advance(seconds=59)
        assert live_keys(accounts, "one") == (old.private_key, new.private_key)
        assert KeyPairs(accounts).list()[0].private_key_count == 2
        clock.advance(seconds=2)
        assert live_keys(accounts, "one") == (new.private_key,)
        assert KeyPairs(accounts).list()[0].private_key_count == 1

    def test_a_later_grace_prolongs_no_earlier_one(self, accounts: Accounts, clock: ManualClock) -> None:
        KeyPairs(accounts).add("anna", public_key="one")
        second = KeyPairs(accounts).rotate("one", grace_seconds=60)
        third = KeyPairs(accounts).rotate("one", grace_seconds=600)
        clock.advance(seconds=61)
        assert live_keys(accounts, "one") == (second.private_key, third.private_key)

    def test_live_keys_are_few(self, accounts: Accounts, clock: ManualClock) -> None:
        KeyPairs(accounts).add("anna", public_key="one")
        for _ in range(MAX_LIVE_KEYS - 1):
            KeyPairs(accounts).rotate("one", grace_seconds=60)
        with pytest.raises(AccountError, match="finish"):
            KeyPairs(accounts).rotate("one")
        assert len(live_keys(accounts, "one")) == MAX_LIVE_KEYS
        clock.advance(seconds=61)
        KeyPairs(accounts).rotate("one")

    def test_rotations_at_once_lose_no_key(self, accounts: Accounts) -> None:
        first = KeyPairs(accounts).add("anna", public_key="one")
        made = run_at_once(2, lambda _: KeyPairs(accounts).rotate("one").private_key)
        assert set(live_keys(accounts, "one")) == {first.private_key, *made}


class TestRevocation:
    def test_it_counts_at_once_and_in_every_process(self, accounts: Accounts, key_table: KeyTable) -> None:
        KeyPairs(accounts).add("anna", public_key="one")
        KeyPairs(accounts).add("anna", public_key="two")
        elsewhere = Accounts(key_table, MASTER_KEY)
        assert KeyPairs(elsewhere).find("one") is not None
        KeyPairs(accounts).revoke("one")
        assert KeyPairs(elsewhere).find("one") is None
        assert KeyPairs(elsewhere).find("two") is not None
        listed = {pair.public_key: (pair.active, pair.private_key_count) for pair in KeyPairs(accounts).list()}
        assert listed == {"one": (False, 0), "two": (True, 1)}

    def test_it_is_for_good(self, accounts: Accounts, key_table: KeyTable) -> None:
        KeyPairs(accounts).add("anna", public_key="one", private_key="x")
        KeyPairs(accounts).revoke("one")
        assert json.loads(key_table.all(PAIRS)["one"])["private_keys"] == []
        pairs = KeyPairs(accounts)
        for again in (pairs.revoke, pairs.rotate, pairs.finish_rotation):
            with pytest.raises(AccountError, match="revoked"):
                again("one")
        with pytest.raises(AccountError, match="taken"):
            KeyPairs(accounts).add("anna", public_key="one", private_key="x")

    def test_pairs_that_are_not_there(self, accounts: Accounts) -> None:
        for change in (KeyPairs(accounts).revoke, KeyPairs(accounts).rotate, KeyPairs(accounts).finish_rotation):
            with pytest.raises(AccountError, match="no such key pair"):
                change("nobody")


class TestAccountRecords:
    def test_terms_are_the_accounts_and_change_one_by_one(self, accounts: Accounts) -> None:
        KeyPairs(accounts).add("anna", public_key="one", terms=Terms(price_credits=3, queue_cap=7))
        KeyPairs(accounts).add("anna", public_key="two", terms=Terms(price_credits=0))
        for key in ("one", "two"):
            found = KeyPairs(accounts).find(key)
            assert found is not None
            assert found.terms == Terms(price_credits=0, queue_cap=7)
        changed = accounts.change("anna", terms=Terms(submits_per_second=2))
        assert changed.terms == Terms(price_credits=0, queue_cap=7, submits_per_second=2)
        assert accounts.record("anna") == changed
        assert accounts.change("anna", terms=Terms(queue_cap=1), forget=Terms.model_fields).terms == Terms(
            queue_cap=1
        )

    def test_what_is_not_set_is_not_stored(self, accounts: Accounts, key_table: KeyTable) -> None:
        """So a version that knows fewer terms reads the record."""
        KeyPairs(accounts).add("anna", terms=Terms(queue_cap=7))
        (record,) = map(json.loads, key_table.all(ACCOUNTS).values())
        assert record.keys() == {"created_at_seconds", "active", "terms"}
        assert record["terms"] == {"queue_cap": 7}
        (pair,) = map(json.loads, key_table.all(PAIRS).values())
        assert pair["private_keys"][0].keys() == {"sealed"}

    def test_an_account_can_be_suspended(self, accounts: Accounts) -> None:
        KeyPairs(accounts).add("anna", public_key="one")
        accounts.change("anna", active=False)
        assert KeyPairs(accounts).find("one") is None
        assert not KeyPairs(accounts).list()[0].active
        accounts.change("anna", active=True)
        assert KeyPairs(accounts).find("one") is not None

    def test_it_is_made_once(self, accounts: Accounts, clock: ManualClock) -> None:
        KeyPairs(accounts).add("anna")
        made_at = accounts.record("anna").created_at_seconds
        clock.advance(seconds=60)
        KeyPairs(accounts).add("anna")
        assert accounts.record("anna").created_at_seconds == made_at == pytest.approx(clock() - 60)

    def test_accounts_that_are_not_there(self, accounts: Accounts) -> None:
        with pytest.raises(AccountError, match="no account 'bert'"):
            accounts.record("bert")
        with pytest.raises(AccountError, match="no account 'bert'"):
            accounts.change("bert", active=False)

    def test_a_pair_without_its_account_does_not_count(self, accounts: Accounts, key_table: KeyTable) -> None:
        KeyPairs(accounts).add("anna", public_key="one")
        stray = key_table.all(PAIRS)["one"].replace("anna", "bert")
        assert key_table.add(PAIRS, "two", stray)
        assert KeyPairs(accounts).find("two") is None


class TestTable:
    def test_what_stands_there_is_not_overwritten(self, key_table: KeyTable) -> None:
        assert key_table.add(ACCOUNTS, "a", "1")
        assert not key_table.add(ACCOUNTS, "a", "2")
        assert not key_table.replace(ACCOUNTS, "a", "2", "3")
        assert not key_table.replace(ACCOUNTS, "b", "1", "3")
        assert key_table.all(ACCOUNTS) == {"a": "1"}
        assert key_table.all(PAIRS) == {}

    def test_a_call_whose_reply_was_lost_may_run_again(self, key_table: KeyTable) -> None:
        assert [key_table.add(ACCOUNTS, "a", "1") for _ in range(2)] == [True, True]
        assert [key_table.replace(ACCOUNTS, "a", "1", "2") for _ in range(2)] == [True, True]
        assert key_table.read(ACCOUNTS, "a") == "2"

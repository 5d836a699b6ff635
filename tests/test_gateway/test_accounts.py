"""Accounts on every table, and what lies in it."""

from __future__ import annotations

import json

import pytest

from gateway.accounts import AccountError, Accounts, KeyTable

MASTER_KEY = bytes(32)


@pytest.fixture
def accounts(key_table: KeyTable) -> Accounts:
    return Accounts(key_table, MASTER_KEY)


def test_a_pair_is_found_again(accounts: Accounts) -> None:
    made = accounts.add("anna")
    account = accounts.find(made.public_key)
    assert account is not None
    assert (account.name, account.public_key, account.private_keys) == (
        "anna",
        made.public_key,
        (made.private_key,),
    )


def test_an_account_may_have_several_pairs(accounts: Accounts) -> None:
    first, second = accounts.add("anna"), accounts.add("anna")
    assert first.public_key != second.public_key
    assert first.private_key != second.private_key
    for pair in (first, second):
        account = accounts.find(pair.public_key)
        assert account is not None
        assert account.name == "anna"


def test_keys_that_clients_have_already(accounts: Accounts) -> None:
    accounts.add("anna", public_key="abcdefg", private_key="zwölf 12")
    account = accounts.find("abcdefg")
    assert account is not None
    assert account.private_keys == ("zwölf 12",)


@pytest.mark.parametrize("public_key", ["nobody", "", "Ü", "a\nb", "x" * 129])
def test_unknown_keys(accounts: Accounts, public_key: str) -> None:
    assert accounts.find(public_key) is None


def test_a_public_key_is_never_given_twice(accounts: Accounts) -> None:
    accounts.add("anna", public_key="abcdefg", private_key="first")
    with pytest.raises(AccountError, match="taken"):
        accounts.add("bert", public_key="abcdefg", private_key="second")
    account = accounts.find("abcdefg")
    assert account is not None
    assert (account.name, account.private_keys) == ("anna", ("first",))


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "a/b", "ü"])
def test_names_that_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError):
        accounts.add(name)


@pytest.mark.parametrize("public_key", ["a b", "ü", "x" * 129])
def test_public_keys_that_are_refused(accounts: Accounts, public_key: str) -> None:
    with pytest.raises(AccountError):
        accounts.add("anna", public_key=public_key, private_key="x")


def test_the_list_is_in_order_and_shows_no_private_key(accounts: Accounts) -> None:
    for name, key in (("bert", "b"), ("anna", "z"), ("anna", "a")):
        accounts.add(name, public_key=key, private_key="secret")
    assert [(pair.account, pair.public_key) for pair in accounts.list()] == [
        ("anna", "a"),
        ("anna", "z"),
        ("bert", "b"),
    ]
    assert "secret" not in repr(accounts.list())


def test_private_keys_lie_encrypted(accounts: Accounts, key_table: KeyTable) -> None:
    made = accounts.add("anna", public_key="one", private_key="a private key")
    same = accounts.add("anna", public_key="two", private_key="a private key")
    first, second = key_table.all().values()
    assert "a private key" not in first + second
    assert json.loads(first)["private_keys"] != json.loads(second)["private_keys"]
    assert "a private key" not in repr((accounts, made, same, accounts.find("one")))


def test_a_record_counts_for_its_own_public_key_and_master_key_only(
    accounts: Accounts, key_table: KeyTable
) -> None:
    accounts.add("anna", public_key="one", private_key="secret")
    key_table.add("two", key_table.all()["one"])
    with pytest.raises(AccountError):
        accounts.find("two")
    with pytest.raises(AccountError):
        Accounts(key_table, b"\1" * 32).find("one")


def test_every_live_private_key_is_found(accounts: Accounts, key_table: KeyTable) -> None:
    accounts.add("anna", public_key="one", private_key="old")
    record = json.loads(key_table.all()["one"])
    record["private_keys"].append(accounts._seal("three", "new"))
    sealed_for_three = accounts._seal("three", "old")
    record["private_keys"][0] = sealed_for_three
    key_table.add("three", json.dumps(record))
    account = accounts.find("three")
    assert account is not None
    assert account.private_keys == ("old", "new")

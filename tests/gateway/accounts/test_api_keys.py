"""API keys on every table: found by their hash, shown once, ended for good."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from cutgate.gateway.accounts.accounts import Account, Accounts
from cutgate.gateway.accounts.api_keys import ApiKeys
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.records import AccountError, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, API_KEYS, KeyTable
from tests.fakes import ManualClock

MASTER_KEY = bytes(32)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def accounts(key_table: KeyTable, clock: ManualClock) -> Accounts:
    return Accounts(key_table, MASTER_KEY, clock)


def found(accounts: Accounts, api_key: str) -> Account:
    bearer = ApiKeys(accounts).find(api_key)
    assert bearer is not None
    return bearer


def test_a_key_is_found_again(accounts: Accounts) -> None:
    made = ApiKeys(accounts).add("anna", terms=Terms(price_credits=3))
    assert re.fullmatch(r"kc_[A-Za-z0-9_-]{43}", made.api_key)
    bearer = found(accounts, made.api_key)
    assert bearer.name == "anna"
    assert bearer.terms == Terms(price_credits=3)
    assert bearer.callback_url is None


def test_both_kinds_of_key_belong_to_one_account(accounts: Accounts, key_table: KeyTable) -> None:
    pair, one, two = KeyPairs(accounts).add("anna"), ApiKeys(accounts).add("anna"), ApiKeys(accounts).add("anna")
    accounts.change("anna", terms=Terms(queue_cap=7))
    signer = KeyPairs(accounts).find(pair.public_key)
    assert signer is not None
    first, second = found(accounts, one.api_key), found(accounts, two.api_key)
    assert {key.name for key in (signer, first, second)} == {"anna"}
    assert {key.terms for key in (signer, first, second)} == {Terms(queue_cap=7)}
    assert list(key_table.all(ACCOUNTS)) == ["anna"]


def test_only_a_hash_is_stored_and_nothing_shows_the_key(accounts: Accounts, key_table: KeyTable) -> None:
    made = ApiKeys(accounts).add("anna")
    ((name, record),) = key_table.all(API_KEYS).items()
    assert name == hashlib.sha256(made.api_key.encode()).hexdigest()
    secret = made.api_key[11:]
    assert secret not in record
    assert secret not in repr((accounts, made, found(accounts, made.api_key), ApiKeys(accounts).list()))


@pytest.mark.parametrize(
    "api_key", ["", "kc_", "kc_" + "A" * 43, "Ü", "a\0b", "\ud800", "x" * 100_000, "kc_*", "anna"]
)
def test_unknown_keys(accounts: Accounts, api_key: str) -> None:
    ApiKeys(accounts).add("anna")
    assert ApiKeys(accounts).find(api_key) is None


def test_what_the_list_shows_opens_nothing(accounts: Accounts) -> None:
    made = ApiKeys(accounts).add("anna")
    for shown in (
        made.api_key[:11],
        hashlib.sha256(made.api_key.encode()).hexdigest(),
        made.api_key[:-1],
        made.api_key + " ",
    ):
        assert ApiKeys(accounts).find(shown) is None


def test_a_key_of_one_kind_is_none_of_the_other(accounts: Accounts) -> None:
    pair, bearer = KeyPairs(accounts).add("anna"), ApiKeys(accounts).add("anna")
    assert ApiKeys(accounts).find(pair.public_key) is None
    assert ApiKeys(accounts).find(pair.private_key) is None
    assert KeyPairs(accounts).find(bearer.api_key) is None
    with pytest.raises(AccountError, match="kc_"):
        KeyPairs(accounts).add("anna", public_key="kc_mine", private_key="x")


def test_an_account_that_is_suspended_has_no_key_that_counts(accounts: Accounts) -> None:
    made = ApiKeys(accounts).add("anna")
    accounts.change("anna", active=False)
    assert ApiKeys(accounts).find(made.api_key) is None
    assert [key.active for key in ApiKeys(accounts).list()] == [False]
    accounts.change("anna", active=True)
    assert ApiKeys(accounts).find(made.api_key) is not None


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ü"])
def test_names_that_are_refused(accounts: Accounts, key_table: KeyTable, name: str) -> None:
    with pytest.raises(AccountError):
        ApiKeys(accounts).add(name)
    assert key_table.all(ACCOUNTS) == key_table.all(API_KEYS) == {}


def test_the_list_is_by_account_and_age(accounts: Accounts, clock: ManualClock) -> None:
    made = []
    for name in ("bert", "anna", "anna"):
        made.append(ApiKeys(accounts).add(name).api_key[:11])
        clock.advance(seconds=1)
    listed = ApiKeys(accounts).list()
    assert [(key.account, key.prefix) for key in listed] == [
        ("anna", made[1]),
        ("anna", made[2]),
        ("bert", made[0]),
    ]
    assert ApiKeys(accounts).list("bert") == listed[2:]
    assert ApiKeys(accounts).list("nobody") == ()


class TestRevocation:
    @pytest.mark.parametrize("characters", [11, None])
    def test_it_counts_at_once_and_in_every_process(
        self, accounts: Accounts, key_table: KeyTable, characters: int | None
    ) -> None:
        first, second = ApiKeys(accounts).add("anna").api_key, ApiKeys(accounts).add("anna").api_key
        elsewhere = Accounts(key_table, MASTER_KEY)
        ended = ApiKeys(accounts).revoke(first[:characters])
        assert (ended.account, ended.prefix, ended.active) == ("anna", first[:11], False)
        assert ApiKeys(elsewhere).find(first) is None
        assert ApiKeys(elsewhere).find(second) is not None
        assert {key.prefix: key.active for key in ApiKeys(accounts).list()} == {
            first[:11]: False,
            second[:11]: True,
        }
        with pytest.raises(AccountError, match="revoked"):
            ApiKeys(accounts).revoke(first)

    @pytest.mark.parametrize("key", ["kc_", "kc_12345678", "", "kc_" + "A" * 43])
    def test_keys_that_are_not_there(self, accounts: Accounts, key: str) -> None:
        ApiKeys(accounts).add("anna")
        with pytest.raises(AccountError, match="no such API key") as caught:
            ApiKeys(accounts).revoke(key)
        assert "kc_" not in str(caught.value)

    def test_keys_that_begin_alike_are_told_apart_by_the_whole(
        self, accounts: Accounts, key_table: KeyTable
    ) -> None:
        api_key = ApiKeys(accounts).add("anna").api_key
        record = next(iter(key_table.all(API_KEYS).values()))
        key_table.add(API_KEYS, "0" * 64, record)
        with pytest.raises(AccountError, match="several"):
            ApiKeys(accounts).revoke(api_key[:11])
        assert ApiKeys(accounts).find(api_key) is not None
        ApiKeys(accounts).revoke(api_key)
        assert json.loads(key_table.all(API_KEYS)["0" * 64])["active"]


def test_a_key_without_its_account_does_not_count(accounts: Accounts, key_table: KeyTable) -> None:
    api_key = ApiKeys(accounts).add("anna").api_key
    ((name, record),) = key_table.all(API_KEYS).items()
    assert key_table.replace(API_KEYS, name, record, record.replace("anna", "bert"))
    assert ApiKeys(accounts).find(api_key) is None

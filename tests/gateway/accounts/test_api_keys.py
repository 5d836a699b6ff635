"""API keys on every table: found by their hash, shown once, ended for good."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from cutgate.gateway.accounts.accounts import ACCOUNTS, BEARERS, KeyTable
from cutgate.gateway.accounts.api_keys import Bearer
from cutgate.gateway.accounts.key_pairs import Accounts
from cutgate.gateway.accounts.records import AccountError, Terms
from tests.fakes import ManualClock

MASTER_KEY = bytes(32)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def accounts(key_table: KeyTable, clock: ManualClock) -> Accounts:
    return Accounts(key_table, MASTER_KEY, clock)


def found(accounts: Accounts, api_key: str) -> Bearer:
    bearer = accounts.find_bearer(api_key)
    assert bearer is not None
    return bearer


def test_a_key_is_found_again(accounts: Accounts) -> None:
    made = accounts.add_bearer("anna", terms=Terms(price_credits=3))
    assert re.fullmatch(r"kc_[A-Za-z0-9_-]{43}", made.api_key)
    bearer = found(accounts, made.api_key)
    assert (bearer.name, bearer.prefix) == ("anna", made.api_key[:11])
    assert bearer.terms == Terms(price_credits=3)
    assert bearer.callback_url is None


def test_both_kinds_of_key_belong_to_one_account(accounts: Accounts, key_table: KeyTable) -> None:
    pair, one, two = accounts.add("anna"), accounts.add_bearer("anna"), accounts.add_bearer("anna")
    accounts.change("anna", terms=Terms(queue_cap=7))
    signer = accounts.find(pair.public_key)
    assert signer is not None
    first, second = found(accounts, one.api_key), found(accounts, two.api_key)
    assert {key.name for key in (signer, first, second)} == {"anna"}
    assert {key.terms for key in (signer, first, second)} == {Terms(queue_cap=7)}
    assert first.key_hash != second.key_hash
    assert list(key_table.all(ACCOUNTS)) == ["anna"]


def test_only_a_hash_is_stored_and_nothing_shows_the_key(accounts: Accounts, key_table: KeyTable) -> None:
    made = accounts.add_bearer("anna")
    ((name, record),) = key_table.all(BEARERS).items()
    assert name == hashlib.sha256(made.api_key.encode()).hexdigest()
    secret = made.api_key[11:]
    assert secret not in record
    assert secret not in repr((accounts, made, found(accounts, made.api_key), accounts.list_bearers()))


@pytest.mark.parametrize(
    "api_key", ["", "kc_", "kc_" + "A" * 43, "Ü", "a\0b", "\ud800", "x" * 100_000, "kc_*", "anna"]
)
def test_unknown_keys(accounts: Accounts, api_key: str) -> None:
    accounts.add_bearer("anna")
    assert accounts.find_bearer(api_key) is None


def test_what_the_list_shows_opens_nothing(accounts: Accounts) -> None:
    made = accounts.add_bearer("anna")
    bearer = found(accounts, made.api_key)
    for shown in (bearer.prefix, bearer.key_hash, made.api_key[:-1], made.api_key + " "):
        assert accounts.find_bearer(shown) is None


def test_a_key_of_one_kind_is_none_of_the_other(accounts: Accounts) -> None:
    pair, bearer = accounts.add("anna"), accounts.add_bearer("anna")
    assert accounts.find_bearer(pair.public_key) is None
    assert accounts.find_bearer(pair.private_key) is None
    assert accounts.find(bearer.api_key) is None
    with pytest.raises(AccountError, match="kc_"):
        accounts.add("anna", public_key="kc_mine", private_key="x")


def test_an_account_that_is_suspended_has_no_key_that_counts(accounts: Accounts) -> None:
    made = accounts.add_bearer("anna")
    accounts.change("anna", active=False)
    assert accounts.find_bearer(made.api_key) is None
    assert [key.active for key in accounts.list_bearers()] == [False]
    accounts.change("anna", active=True)
    assert accounts.find_bearer(made.api_key) is not None


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ü"])
def test_names_that_are_refused(accounts: Accounts, key_table: KeyTable, name: str) -> None:
    with pytest.raises(AccountError):
        accounts.add_bearer(name)
    assert key_table.all(ACCOUNTS) == key_table.all(BEARERS) == {}


def test_the_list_is_by_account_and_age(accounts: Accounts, clock: ManualClock) -> None:
    made = []
    for name in ("bert", "anna", "anna"):
        made.append(accounts.add_bearer(name).api_key[:11])
        clock.advance(seconds=1)
    listed = accounts.list_bearers()
    assert [(key.account, key.prefix) for key in listed] == [
        ("anna", made[1]),
        ("anna", made[2]),
        ("bert", made[0]),
    ]
    assert accounts.list_bearers("bert") == listed[2:]
    assert accounts.list_bearers("nobody") == ()


class TestRevocation:
    @pytest.mark.parametrize("characters", [11, None])
    def test_it_counts_at_once_and_in_every_process(
        self, accounts: Accounts, key_table: KeyTable, characters: int | None
    ) -> None:
        first, second = accounts.add_bearer("anna").api_key, accounts.add_bearer("anna").api_key
        elsewhere = Accounts(key_table, MASTER_KEY)
        ended = accounts.revoke_bearer(first[:characters])
        assert (ended.account, ended.prefix, ended.active) == ("anna", first[:11], False)
        assert elsewhere.find_bearer(first) is None
        assert elsewhere.find_bearer(second) is not None
        assert {key.prefix: key.active for key in accounts.list_bearers()} == {
            first[:11]: False,
            second[:11]: True,
        }
        with pytest.raises(AccountError, match="revoked"):
            accounts.revoke_bearer(first)

    @pytest.mark.parametrize("key", ["kc_", "kc_12345678", "", "kc_" + "A" * 43])
    def test_keys_that_are_not_there(self, accounts: Accounts, key: str) -> None:
        accounts.add_bearer("anna")
        with pytest.raises(AccountError, match="no such API key") as caught:
            accounts.revoke_bearer(key)
        assert "kc_" not in str(caught.value)

    def test_keys_that_begin_alike_are_told_apart_by_the_whole(
        self, accounts: Accounts, key_table: KeyTable
    ) -> None:
        api_key = accounts.add_bearer("anna").api_key
        record = next(iter(key_table.all(BEARERS).values()))
        key_table.add(BEARERS, "0" * 64, record)
        with pytest.raises(AccountError, match="several"):
            accounts.revoke_bearer(api_key[:11])
        assert accounts.find_bearer(api_key) is not None
        accounts.revoke_bearer(api_key)
        assert json.loads(key_table.all(BEARERS)["0" * 64])["active"]


def test_a_key_without_its_account_does_not_count(accounts: Accounts, key_table: KeyTable) -> None:
    api_key = accounts.add_bearer("anna").api_key
    ((name, record),) = key_table.all(BEARERS).items()
    assert key_table.replace(BEARERS, name, record, record.replace("anna", "bert"))
    assert accounts.find_bearer(api_key) is None

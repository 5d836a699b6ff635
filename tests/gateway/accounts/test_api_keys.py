"""API keys: found by their hash, shown once, ended for good."""

import hashlib
import json
import re

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.api_keys import ApiKeys
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.records import AccountError, ApiKeyRecord, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, API_KEYS, KeyTable
from tests.fakes import ManualClock
from tests.gateway.harness import there


def test_a_key_is_found_again(api_keys: ApiKeys) -> None:
    made = api_keys.add("anna", terms=Terms(price_credits=3))
    assert re.fullmatch(r"cutgate_[A-Za-z0-9_-]{43}", made.api_key)
    bearer = there(api_keys.find(made.api_key))
    assert (bearer.name, bearer.terms, bearer.callback_url) == ("anna", Terms(price_credits=3), None)


def test_a_key_is_decoded_once_for_as_long_as_its_records_stay(
    accounts: Accounts, api_keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api_keys.add("anna")
    decoded: list[str] = []
    decode = ApiKeyRecord.model_validate_json

    def counted(text: str) -> ApiKeyRecord:
        decoded.append(text)
        return decode(text)

    monkeypatch.setattr(ApiKeyRecord, "model_validate_json", counted)
    found = [there(api_keys.find(made.api_key)) for _ in range(3)]
    assert (found[1:], len(decoded)) == ([found[0]] * 2, 1)
    accounts.change("anna", terms=Terms(queue_cap=7))
    assert there(api_keys.find(made.api_key)).terms == Terms(queue_cap=7)
    assert len(decoded) == 2


def test_both_kinds_of_key_belong_to_one_account(
    accounts: Accounts, pairs: KeyPairs, api_keys: ApiKeys, key_table: KeyTable
) -> None:
    pair, one, two = pairs.add("anna"), api_keys.add("anna"), api_keys.add("anna")
    accounts.change("anna", terms=Terms(queue_cap=7))
    found = [pairs.find(pair.public_key), api_keys.find(one.api_key), api_keys.find(two.api_key)]
    assert [(there(key).name, there(key).terms) for key in found] == [("anna", Terms(queue_cap=7))] * 3
    assert list(key_table.all(ACCOUNTS)) == ["anna"]


def test_only_a_hash_is_stored_and_nothing_shows_the_key(
    accounts: Accounts, api_keys: ApiKeys, key_table: KeyTable
) -> None:
    made = api_keys.add("anna")
    ((name, record),) = key_table.all(API_KEYS).items()
    assert name == hashlib.sha256(made.api_key.encode()).hexdigest()
    shown = repr((accounts, made, api_keys.find(made.api_key), api_keys.list()))
    assert made.api_key[16:] not in record + shown
    # Nor does what is shown open anything.
    for text in (made.api_key[:16], name, made.api_key[:-1], made.api_key + " "):
        assert api_keys.find(text) is None


@pytest.mark.parametrize(
    "api_key", ["", "cutgate_", "cutgate_" + "A" * 43, "Ü", "a\0b", "\ud800", "x" * 100_000, "cutgate_*", "anna"]
)
def test_unknown_keys(api_keys: ApiKeys, api_key: str) -> None:
    api_keys.add("anna")
    assert api_keys.find(api_key) is None


def test_a_key_of_one_kind_is_none_of_the_other(pairs: KeyPairs, api_keys: ApiKeys) -> None:
    pair, bearer = pairs.add("anna"), api_keys.add("anna")
    assert api_keys.find(pair.public_key) is None
    assert api_keys.find(pair.private_key) is None
    assert pairs.find(bearer.api_key) is None
    with pytest.raises(AccountError, match="cutgate_"):
        pairs.add("anna", public_key="cutgate_mine", private_key="x")


def test_an_account_that_is_suspended_has_no_key_that_counts(accounts: Accounts, api_keys: ApiKeys) -> None:
    made = api_keys.add("anna")
    accounts.change("anna", active=False)
    assert api_keys.find(made.api_key) is None
    assert [key.active for key in api_keys.list()] == [False]
    accounts.change("anna", active=True)
    assert api_keys.find(made.api_key) is not None


def test_names_that_are_refused(api_keys: ApiKeys, key_table: KeyTable) -> None:
    with pytest.raises(AccountError):
        api_keys.add("a b")
    assert key_table.all(ACCOUNTS) == key_table.all(API_KEYS) == {}


def test_the_list_is_by_account_and_age(api_keys: ApiKeys, clock: ManualClock) -> None:
    made = []
    for name in ("bert", "anna", "anna"):
        made.append((name, api_keys.add(name).api_key[:16]))
        clock.advance(seconds=1)
    listed = api_keys.list()
    assert [(key.account, key.prefix) for key in listed] == [made[1], made[2], made[0]]
    assert api_keys.list("bert") == listed[2:]
    assert api_keys.list("nobody") == ()


class TestRevocation:
    @pytest.mark.parametrize("characters", [16, None])
    def test_it_counts_at_once_and_in_every_process(
        self, api_keys: ApiKeys, key_table: KeyTable, characters: int | None
    ) -> None:
        first, second = api_keys.add("anna").api_key, api_keys.add("anna").api_key
        elsewhere = ApiKeys(Accounts(key_table, [bytes(32)]))
        ended = api_keys.revoke(first[:characters])
        assert (ended.account, ended.prefix, ended.active) == ("anna", first[:16], False)
        assert elsewhere.find(first) is None
        assert elsewhere.find(second) is not None
        listed = {key.prefix: key.active for key in api_keys.list()}
        assert listed == {first[:16]: False, second[:16]: True}
        with pytest.raises(AccountError, match="revoked"):
            api_keys.revoke(first)

    @pytest.mark.parametrize("key", ["cutgate_", "cutgate_12345678", "", "cutgate_" + "A" * 43])
    def test_keys_that_are_not_there(self, api_keys: ApiKeys, key: str) -> None:
        api_keys.add("anna")
        with pytest.raises(AccountError, match="no such API key") as caught:
            api_keys.revoke(key)
        assert "cutgate_" not in str(caught.value)

    def test_keys_that_begin_alike_are_told_apart_by_the_whole(
        self, api_keys: ApiKeys, key_table: KeyTable
    ) -> None:
        api_key = api_keys.add("anna").api_key
        key_table.add(API_KEYS, "0" * 64, *key_table.all(API_KEYS).values())
        with pytest.raises(AccountError, match="several"):
            api_keys.revoke(api_key[:16])
        assert api_keys.find(api_key) is not None
        api_keys.revoke(api_key)
        assert json.loads(key_table.all(API_KEYS)["0" * 64])["active"]


def test_a_key_without_its_account_does_not_count(api_keys: ApiKeys, key_table: KeyTable) -> None:
    api_key = api_keys.add("anna").api_key
    ((name, record),) = key_table.all(API_KEYS).items()
    assert key_table.replace(API_KEYS, name, record, record.replace("anna", "bert"))
    assert api_keys.find(api_key) is None

"""Tests of credentials: how they are found, rotated and ended, what lies in the table, and a new master key."""

import hashlib
import json
import re
from collections.abc import Callable

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import MAX_LIVE_KEYS, Credential, Credentials, stored_name
from cutgate.gateway.accounts.records import AccountError, CredentialRecord, Terms
from cutgate.gateway.accounts.tables import CREDENTIALS, KeyTable, Resealed
from tests.fakes import ManualClock
from tests.gateway.harness import there
from tests.jobs.build import run_at_once
from tests.ledgers import stored_records


def holder(credentials: Credentials, api_key: str) -> Credential | None:
    return credentials.find_api_key(stored_name(api_key))


def live_keys(credentials: Credentials) -> tuple[str, ...]:
    """The private keys of the pair that is called `one`."""
    return there(credentials.find_pair("one")).private_keys


class TestPairs:
    def test_a_public_key_is_never_given_twice(self, credentials: Credentials) -> None:
        credentials.add_pair("anna", public_key="one", private_key="zwölf 12")
        with pytest.raises(AccountError, match="taken"):
            credentials.add_pair("bert", public_key="one", private_key="second")
        assert there(credentials.find_pair("one")).account.name == "anna"
        assert live_keys(credentials) == ("zwölf 12",)

    @pytest.mark.parametrize("public_key", ["a b", "ü", "x" * 129, "cutgate_mine"])
    def test_public_keys_that_are_refused(
        self, credentials: Credentials, accounts: Accounts, public_key: str
    ) -> None:
        with pytest.raises(AccountError, match="public key"):
            credentials.add_pair("anna", public_key=public_key, private_key="x")
        assert accounts.all() == {}

    def test_private_keys_lie_encrypted(self, credentials: Credentials, key_table: KeyTable) -> None:
        made = [credentials.add_pair("anna", public_key=key, private_key="a secret") for key in ("one", "two")]
        first, second = stored_records(key_table, CREDENTIALS).values()
        assert json.loads(first)["private_keys"] != json.loads(second)["private_keys"]
        found = [credentials.find_pair("one"), credentials.find_pair("one", known=True)]
        assert "a secret" not in f"{first} {second} {(credentials, made, found, credentials._recent.get('one'))!r}"

    def test_a_record_counts_for_its_own_public_key_and_master_key_only(
        self, credentials: Credentials, key_table: KeyTable
    ) -> None:
        credentials.add_pair("anna", public_key="one", private_key="secret")
        key_table.add(CREDENTIALS, "two", key_table.all(CREDENTIALS)["one"])
        with pytest.raises(AccountError):
            credentials.find_pair("two")
        with pytest.raises(AccountError):
            Credentials(Accounts(key_table, [b"\1" * 32])).find_pair("one")


class TestRotation:
    def test_a_grace_time_ends_the_old_key(self, credentials: Credentials, clock: ManualClock) -> None:
        old, new = credentials.add_pair("anna", public_key="one"), credentials.rotate("one", grace_seconds=60)
        clock.advance(seconds=59)
        assert live_keys(credentials) == (old.private_key, new.private_key)
        assert len(credentials.all()["one"].live_keys(clock())) == 2
        clock.advance(seconds=2)
        assert live_keys(credentials) == (new.private_key,)
        assert there(credentials.find_pair("one", known=True)).private_keys == (new.private_key,)
        assert len(credentials.all()["one"].live_keys(clock())) == 1

    def test_a_later_grace_prolongs_no_earlier_one(self, credentials: Credentials, clock: ManualClock) -> None:
        credentials.add_pair("anna", public_key="one")
        second, third = (credentials.rotate("one", grace_seconds=seconds) for seconds in (60, 600))
        clock.advance(seconds=61)
        assert live_keys(credentials) == (second.private_key, third.private_key)

    def test_live_keys_are_few(self, credentials: Credentials, clock: ManualClock) -> None:
        credentials.add_pair("anna", public_key="one")
        for _ in range(MAX_LIVE_KEYS - 1):
            credentials.rotate("one", grace_seconds=60)
        with pytest.raises(AccountError, match="finish"):
            credentials.rotate("one")
        assert len(live_keys(credentials)) == MAX_LIVE_KEYS
        clock.advance(seconds=61)
        credentials.rotate("one")

    def test_rotations_at_once_lose_no_key(self, credentials: Credentials) -> None:
        first = credentials.add_pair("anna", public_key="one")
        made = run_at_once(2, lambda _: credentials.rotate("one").private_key)
        assert set(live_keys(credentials)) == {first.private_key, *made}


class TestApiKeys:
    def test_one_is_found_again(self, credentials: Credentials) -> None:
        api_key = credentials.add_api_key("anna", terms=Terms(price_credits=3))
        assert re.fullmatch(r"cutgate_[A-Za-z0-9_-]{43}", api_key)
        found = there(holder(credentials, api_key))
        assert (found.account.name, found.account.terms) == ("anna", Terms(price_credits=3))
        assert found.private_keys == ()

    def test_only_a_hash_is_stored_and_nothing_shows_the_key(
        self, credentials: Credentials, key_table: KeyTable
    ) -> None:
        api_key = credentials.add_api_key("anna")
        ((name, record),) = stored_records(key_table, CREDENTIALS).items()
        assert name == f"cutgate_{hashlib.sha256(api_key.encode()).hexdigest()}"
        shown = repr((credentials, holder(credentials, api_key), credentials.all()))
        assert api_key[16:] not in record + shown
        # Nor does what is shown open anything.
        for text in (api_key[:16], name, api_key[:-1], api_key + " "):
            assert holder(credentials, text) is None
            assert credentials.find_pair(text) is None

    def test_none_is_a_pair(self, credentials: Credentials) -> None:
        pair, api_key = credentials.add_pair("anna"), credentials.add_api_key("anna")
        assert holder(credentials, pair.public_key) is holder(credentials, pair.private_key) is None
        assert credentials.find_pair(api_key) is None
        for change in (credentials.rotate, credentials.finish_rotation):
            with pytest.raises(AccountError, match="no such key pair"):
                change(stored_name(api_key))

    def test_keys_that_begin_alike_are_told_apart_by_the_whole(
        self, credentials: Credentials, key_table: KeyTable
    ) -> None:
        api_key = credentials.add_api_key("anna")
        key_table.add(CREDENTIALS, "another", *key_table.all(CREDENTIALS).values())
        with pytest.raises(AccountError, match="several"):
            credentials.revoke(api_key[:16])
        assert holder(credentials, api_key) is not None
        credentials.revoke(api_key)
        assert key_table.all(CREDENTIALS)["another"].active


def test_the_list_is_by_account_kind_and_age(credentials: Credentials, clock: ManualClock) -> None:
    bert, young, old = credentials.add_api_key("bert"), *(credentials.add_api_key("anna") for _ in range(2))
    clock.advance(seconds=-1)
    older = credentials.add_api_key("anna")
    for key in ("z", "a"):
        credentials.add_pair("anna", public_key=key, private_key="secret")
    names, listed = list(credentials.all()), list(credentials.all().values())
    assert [key.account for key in listed] == ["anna"] * 5 + ["bert"]
    assert ([key.is_pair for key in listed], names[:2]) == ([True, True, *[False] * 4], ["a", "z"])
    api_keys = [older, *sorted((young, old)), bert]
    assert [key.prefix for key in listed[2:]] == [api_key[:16] for api_key in api_keys]
    assert "secret" not in repr(listed)


class TestRevocation:
    def test_a_pair_ends_at_once_in_every_process_and_for_good(
        self, credentials: Credentials, key_table: KeyTable
    ) -> None:
        for key in ("one", "two"):
            credentials.add_pair("anna", public_key=key)
        elsewhere = Credentials(Accounts(key_table, [bytes(32)]))
        assert elsewhere.find_pair("one") is not None
        credentials.revoke("one")
        assert elsewhere.find_pair("one") is None
        assert elsewhere.find_pair("two") is not None
        listed = {name: (key.active, len(key.private_keys)) for name, key in credentials.all().items()}
        assert listed == {"one": (False, 0), "two": (True, 1)}
        assert key_table.all(CREDENTIALS)["one"].private_keys == ()
        for change in (credentials.revoke, credentials.rotate, credentials.finish_rotation):
            with pytest.raises(AccountError, match="revoked"):
                change("one")
            with pytest.raises(AccountError, match="no such key pair"):
                change("nobody")
        with pytest.raises(AccountError, match="taken"):
            credentials.add_pair("anna", public_key="one", private_key="x")


@pytest.mark.parametrize("is_pair", [True, False])
def test_one_without_its_account_does_not_count(
    credentials: Credentials, key_table: KeyTable, *, is_pair: bool
) -> None:
    name = credentials.add_pair("anna").public_key if is_pair else stored_name(credentials.add_api_key("anna"))
    key_table.change(CREDENTIALS, name, lambda record: record.model_copy(update={"account": "bert"}), missing="")
    assert credentials.find_pair(name) is credentials.find_api_key(name) is None


def test_records_are_decoded_once_for_as_long_as_they_stay(
    accounts: Accounts, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process remembers; the ledger confirms it with the first thing that it is asked."""
    credentials.add_pair("anna", public_key="one")
    assert there(credentials.find_pair("one", known=True)).known_key is None, "it was read right now"
    decoded: list[str] = []
    decode: Callable[[str], CredentialRecord] = CredentialRecord.model_validate_json

    def counted(text: str) -> CredentialRecord:
        decoded.append(text)
        return decode(text)

    monkeypatch.setattr(CredentialRecord, "model_validate_json", counted)
    found = [there(credentials.find_pair("one")) for _ in range(3)]
    assert (found[1:], decoded) == ([found[0]] * 2, [])
    accounts.change("anna", terms=Terms(queue_cap=7))
    assert there(credentials.find_pair("one")).account.terms == Terms(queue_cap=7)
    assert len(decoded) == 1


# The master key is replaced while the service runs: both count until every secret is under the new one.

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

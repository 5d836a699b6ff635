"""Accounts and their key pairs, and what lies in the table."""

import json

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.key_pairs import MAX_LIVE_KEYS, KeyPairs, Signer
from cutgate.gateway.accounts.rates import KeyChanged, Rate, RequestLimits
from cutgate.gateway.accounts.records import AccountError, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, PAIRS, KeyTable
from cutgate.jobs.errors import LedgerUnavailable
from tests.fakes import ManualClock, failing
from tests.gateway.harness import make_settings, there
from tests.jobs.build import run_at_once
from tests.ledgers import FreshLedger, fresh_key_table


def live_keys(pairs: KeyPairs) -> tuple[str, ...]:
    """The private keys of the pair that is called `one`."""
    return there(pairs.find("one")).private_keys


def test_a_pair_is_found_again_and_an_account_may_have_several(pairs: KeyPairs) -> None:
    first, second = pairs.add("anna"), pairs.add("anna")
    assert first.public_key != second.public_key
    assert first.private_key != second.private_key
    for made in (first, second):
        found = there(pairs.find(made.public_key))
        assert (found.name, found.public_key, found.private_keys) == ("anna", made.public_key, (made.private_key,))


@pytest.mark.parametrize("public_key", ["nobody", "", "Ü", "a\nb", "x" * 129])
def test_unknown_keys(pairs: KeyPairs, public_key: str) -> None:
    assert pairs.find(public_key) is None


def test_a_public_key_is_never_given_twice(pairs: KeyPairs) -> None:
    pairs.add("anna", public_key="one", private_key="zwölf 12")
    with pytest.raises(AccountError, match="taken"):
        pairs.add("bert", public_key="one", private_key="second")
    assert there(pairs.find("one")).name == "anna"
    assert live_keys(pairs) == ("zwölf 12",)


@pytest.mark.parametrize(
    ("name", "public_key"),
    [
        *((name, "one") for name in ("", "a b", "-x", "x" * 65, "a/b", "ü")),
        *(("anna", key) for key in ("a b", "ü", "x" * 129)),
    ],
)
def test_names_and_public_keys_that_are_refused(
    pairs: KeyPairs, key_table: KeyTable, name: str, public_key: str
) -> None:
    with pytest.raises(AccountError):
        pairs.add(name, public_key=public_key, private_key="x")
    assert key_table.all(ACCOUNTS) == key_table.all(PAIRS) == {}


def test_the_list_is_in_order_and_shows_no_private_key(pairs: KeyPairs) -> None:
    for name, key in (("bert", "b"), ("anna", "z"), ("anna", "a")):
        pairs.add(name, public_key=key, private_key="secret")
    listed = [(pair.account, pair.public_key) for pair in pairs.list()]
    assert listed == [("anna", "a"), ("anna", "z"), ("bert", "b")]
    assert "secret" not in repr(pairs.list())


def test_private_keys_lie_encrypted(pairs: KeyPairs, key_table: KeyTable) -> None:
    made = [pairs.add("anna", public_key=key, private_key="a private key") for key in ("one", "two")]
    first, second = key_table.all(PAIRS).values()
    assert json.loads(first)["private_keys"] != json.loads(second)["private_keys"]
    assert "a private key" not in f"{first} {second} {(pairs, made, pairs.find('one'))!r}"


def test_a_record_counts_for_its_own_public_key_and_master_key_only(pairs: KeyPairs, key_table: KeyTable) -> None:
    pairs.add("anna", public_key="one", private_key="secret")
    key_table.add(PAIRS, "two", key_table.all(PAIRS)["one"])
    with pytest.raises(AccountError):
        pairs.find("two")
    with pytest.raises(AccountError):
        KeyPairs(Accounts(key_table, [b"\1" * 32])).find("one")


class TestRotation:
    def test_both_keys_count_until_it_is_finished(self, pairs: KeyPairs, clock: ManualClock) -> None:
        old, new = pairs.add("anna", public_key="one"), pairs.rotate("one")
        assert (new.account, new.public_key) == ("anna", "one")
        assert new.private_key != old.private_key
        clock.advance(seconds=10**9)
        assert live_keys(pairs) == (old.private_key, new.private_key)
        for _ in range(2):
            pairs.finish_rotation("one")
            assert live_keys(pairs) == (new.private_key,)

    def test_a_grace_time_ends_the_old_key(self, pairs: KeyPairs, clock: ManualClock) -> None:
        old, new = pairs.add("anna", public_key="one"), pairs.rotate("one", grace_seconds=60)
        clock.advance(seconds=59)
        assert live_keys(pairs) == (old.private_key, new.private_key)
        assert pairs.list()[0].private_key_count == 2
        clock.advance(seconds=2)
        assert live_keys(pairs) == (new.private_key,)
        assert pairs.list()[0].private_key_count == 1

    def test_a_later_grace_prolongs_no_earlier_one(self, pairs: KeyPairs, clock: ManualClock) -> None:
        pairs.add("anna", public_key="one")
        second, third = (pairs.rotate("one", grace_seconds=seconds) for seconds in (60, 600))
        clock.advance(seconds=61)
        assert live_keys(pairs) == (second.private_key, third.private_key)

    def test_live_keys_are_few(self, pairs: KeyPairs, clock: ManualClock) -> None:
        pairs.add("anna", public_key="one")
        for _ in range(MAX_LIVE_KEYS - 1):
            pairs.rotate("one", grace_seconds=60)
        with pytest.raises(AccountError, match="finish"):
            pairs.rotate("one")
        assert len(live_keys(pairs)) == MAX_LIVE_KEYS
        clock.advance(seconds=61)
        pairs.rotate("one")

    def test_rotations_at_once_lose_no_key(self, pairs: KeyPairs) -> None:
        first = pairs.add("anna", public_key="one")
        made = run_at_once(2, lambda _: pairs.rotate("one").private_key)
        assert set(live_keys(pairs)) == {first.private_key, *made}


class TestRevocation:
    def test_it_counts_at_once_and_in_every_process(self, pairs: KeyPairs, key_table: KeyTable) -> None:
        for key in ("one", "two"):
            pairs.add("anna", public_key=key)
        elsewhere = KeyPairs(Accounts(key_table, [bytes(32)]))
        assert elsewhere.find("one") is not None
        pairs.revoke("one")
        assert elsewhere.find("one") is None
        assert elsewhere.find("two") is not None
        listed = {pair.public_key: (pair.active, pair.private_key_count) for pair in pairs.list()}
        assert listed == {"one": (False, 0), "two": (True, 1)}

    def test_it_is_for_good(self, pairs: KeyPairs, key_table: KeyTable) -> None:
        pairs.add("anna", public_key="one", private_key="x")
        pairs.revoke("one")
        assert json.loads(key_table.all(PAIRS)["one"])["private_keys"] == []
        for change in (pairs.revoke, pairs.rotate, pairs.finish_rotation):
            with pytest.raises(AccountError, match="revoked"):
                change("one")
            with pytest.raises(AccountError, match="no such key pair"):
                change("nobody")
        with pytest.raises(AccountError, match="taken"):
            pairs.add("anna", public_key="one", private_key="x")


class TestAccountRecords:
    def test_terms_are_the_accounts_and_change_one_by_one(self, accounts: Accounts, pairs: KeyPairs) -> None:
        pairs.add("anna", public_key="one", terms=Terms(price_credits=3, queue_cap=7))
        pairs.add("anna", public_key="two", terms=Terms(price_credits=0))
        for key in ("one", "two"):
            assert there(pairs.find(key)).terms == Terms(price_credits=0, queue_cap=7)
        changed = accounts.change("anna", terms=Terms(submits_per_second=2))
        assert changed.terms == Terms(price_credits=0, queue_cap=7, submits_per_second=2)
        assert accounts.record("anna") == changed
        forgetful = accounts.change("anna", terms=Terms(queue_cap=1), forget=Terms.model_fields)
        assert forgetful.terms == Terms(queue_cap=1)

    def test_what_is_not_set_is_not_stored(self, pairs: KeyPairs, key_table: KeyTable) -> None:
        """So a version that knows fewer terms reads the record."""
        pairs.add("anna", terms=Terms(queue_cap=7))
        (record,) = map(json.loads, key_table.all(ACCOUNTS).values())
        assert record.keys() == {"created_at_seconds", "active", "terms"}
        assert record["terms"] == {"queue_cap": 7}
        (pair,) = map(json.loads, key_table.all(PAIRS).values())
        assert pair["private_keys"][0].keys() == {"sealed"}

    def test_an_account_can_be_suspended(self, accounts: Accounts, pairs: KeyPairs) -> None:
        pairs.add("anna", public_key="one")
        accounts.change("anna", active=False)
        assert pairs.find("one") is None
        assert not pairs.list()[0].active
        accounts.change("anna", active=True)
        assert pairs.find("one") is not None

    def test_it_is_made_once(self, accounts: Accounts, pairs: KeyPairs, clock: ManualClock) -> None:
        pairs.add("anna")
        made_at = accounts.record("anna").created_at_seconds
        clock.advance(seconds=60)
        pairs.add("anna")
        assert accounts.record("anna").created_at_seconds == made_at == pytest.approx(clock() - 60)

    def test_accounts_that_are_not_there(self, accounts: Accounts) -> None:
        for call in (accounts.record, accounts.change, accounts.set_callback, accounts.drop_callback):
            with pytest.raises(AccountError, match="no account 'bert'"):
                call("bert")
        assert accounts.callback_secret("bert") is None

    def test_a_pair_without_its_account_does_not_count(self, pairs: KeyPairs, key_table: KeyTable) -> None:
        pairs.add("anna", public_key="one")
        stray = key_table.all(PAIRS)["one"].replace("anna", "bert")
        assert key_table.add(PAIRS, "two", stray)
        assert pairs.find("two") is None


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


class TestKnownKeys:
    """What a process remembers of key pairs; the ledger confirms it with the first thing that it is asked."""

    @pytest.fixture
    def limits(self, ledger: FreshLedger) -> RequestLimits:
        return RequestLimits(ledger, make_settings(polls_per_second=1_000))

    @pytest.fixture
    def public_key(self, pairs: KeyPairs) -> str:
        public_key = pairs.add("one").public_key
        assert there(pairs.known(public_key)).known_key is None, "it was read right now"
        return public_key

    def counted(self, limits: RequestLimits, signer: Signer) -> bool:
        """Whether the ledger agrees with what is known, and counts the request."""
        entry = limits.entry(signer, Rate.POLL)
        try:
            limits.count(entry)
        except KeyChanged:
            assert entry.allowance is None
            return False
        return True

    def test_it_is_confirmed_without_being_read(
        self, pairs: KeyPairs, public_key: str, limits: RequestLimits, key_table: KeyTable
    ) -> None:
        failing(key_table, read_key=LedgerUnavailable("read all the same"))
        signer = there(pairs.known(public_key))
        assert signer.private_keys
        assert self.counted(limits, signer)

    @pytest.mark.parametrize("change", ["revoked", "rotated", "account suspended", "terms", "all records gone"])
    def test_a_change_counts_at_once_in_every_process(
        self,
        pairs: KeyPairs,
        accounts: Accounts,
        public_key: str,
        limits: RequestLimits,
        ledger: FreshLedger,
        change: str,
    ) -> None:
        elsewhere = KeyPairs(Accounts(fresh_key_table(ledger.key_prefix), [bytes(32)]))
        match change:
            case "revoked":
                elsewhere.revoke(public_key)
            case "rotated":
                elsewhere.rotate(public_key)
            case "account suspended":
                accounts.change("one", active=False)
            case "terms":
                accounts.change("one", terms=Terms(price_credits=7))
            case _:
                ledger.database.client.delete(f"{ledger.key_prefix}key_pairs")
        assert not self.counted(limits, there(pairs.known(public_key)))
        found = pairs.find(public_key)
        assert (found is None) == (change in {"revoked", "account suspended", "all records gone"})
        if found is not None:
            assert self.counted(limits, there(pairs.known(public_key)))

    def test_private_keys_that_end_with_time_end_here_too(
        self, pairs: KeyPairs, public_key: str, clock: ManualClock
    ) -> None:
        pairs.rotate(public_key, grace_seconds=60)
        assert len(there(pairs.find(public_key)).private_keys) == 2
        clock.advance(61)
        assert len(there(pairs.known(public_key)).private_keys) == 1

    def test_nothing_shows_its_secrets(self, pairs: KeyPairs, public_key: str) -> None:
        [private_key] = there(pairs.known(public_key)).private_keys
        assert private_key not in repr([there(pairs._found.last(public_key)), there(pairs.known(public_key))])

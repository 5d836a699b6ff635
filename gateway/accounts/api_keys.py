"""API keys: one text that its holder presents. Only their hashes are stored.

A key is 256 random bits, so that a plain hash hides it as well as a slow one would.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from cutgate.gateway.accounts.accounts import BEARERS, Account, AccountBook
from cutgate.gateway.accounts.records import AccountError, AccountRecord, BearerRecord, Terms

API_KEY_START: Final = "kc_"
"""What every API key begins with, and no public key of a pair."""

_KEY_BYTES: Final = 32
_PREFIX_CHARACTERS: Final = len(API_KEY_START) + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerCredentials:
    """An API key, as it is shown once."""

    account: str
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer(Account):
    """An account as the holder of one of its API keys."""

    key_hash: str
    """Tells the account's keys apart."""
    prefix: str
    """The key's first characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerKey:
    """An API key as operators see it in a list."""

    account: str
    prefix: str
    """The key's first characters; they open nothing."""
    active: bool
    """Whether it and its account count."""
    created_at_seconds: float
    terms: Terms


class Bearers(AccountBook):
    """Adds, finds, lists and ends API keys."""

    def add_bearer(self, name: str, *, terms: Terms | None = None) -> BearerCredentials:
        """Add an API key to an account, which begins to exist with its first key.

        Args:
            name: the account.
            terms: what is set in them holds for the account from now on.

        Raises:
            AccountError: the name has a form that is not allowed.
        """
        api_key = API_KEY_START + secrets.token_urlsafe(_KEY_BYTES)
        self._begin(name)
        record = BearerRecord(account=name, prefix=api_key[:_PREFIX_CHARACTERS], created_at_seconds=self._clock())
        self._table.add(BEARERS, _hash_of(api_key), record.encoded())
        if terms is not None:
            self.change(name, terms=terms)
        return BearerCredentials(account=name, api_key=api_key)

    def find_bearer(self, api_key: str) -> Bearer | None:
        """Who holds an API key; None when it is unknown, or it or its account is not active.

        Whatever the text, the work is one hash and one look-up by it: its time tells nothing of keys that exist.

        Raises:
            LedgerUnavailable: the table is away.
        """
        key_hash = _hash_of(api_key)
        found = self._table.read_key(BEARERS, key_hash)
        if found is None:
            return None
        bearer, account = BearerRecord.model_validate_json(found[0]), AccountRecord.model_validate_json(found[1])
        if not (bearer.active and account.active):
            return None
        return Bearer(
            name=bearer.account,
            key_hash=key_hash,
            prefix=bearer.prefix,
            terms=account.terms,
            callback_url=account.callback_url,
        )

    def revoke_bearer(self, key: str) -> BearerKey:
        """End an API key for good.

        Args:
            key: the whole key, or the first characters of it that the list shows.

        Raises:
            AccountError: there is no such active key, or several begin so.
        """
        key_hash = _hash_of(key)
        named = [
            name
            for name, raw in self._table.all(BEARERS).items()
            if name == key_hash or BearerRecord.model_validate_json(raw).prefix == key
        ]
        if not named:
            raise AccountError("there is no such API key")
        if len(named) > 1:
            raise AccountError("several API keys begin so: name the whole key")

        def ended(bearer: BearerRecord) -> BearerRecord:
            if not bearer.active:
                raise AccountError("the API key is revoked")
            return bearer.model_copy(update={"active": False})

        record = self._replace(BEARERS, named[0], BearerRecord, "there is no such API key", ended)
        return _listed(record, self.record(record.account))

    def list_bearers(self, name: str | None = None) -> tuple[BearerKey, ...]:
        """Every API key, or those of an account, by account and age, without the keys themselves."""
        records = [BearerRecord.model_validate_json(raw) for raw in self._table.all(BEARERS).values()]
        accounts = self._accounts()  # read after the keys: an account is there before its first one
        listed = (
            _listed(record, accounts[record.account]) for record in records if name in {None, record.account}
        )
        return tuple(sorted(listed, key=lambda key: (key.account, key.created_at_seconds, key.prefix)))


def _listed(record: BearerRecord, account: AccountRecord) -> BearerKey:
    return BearerKey(
        account=record.account,
        prefix=record.prefix,
        active=record.active and account.active,
        created_at_seconds=record.created_at_seconds,
        terms=account.terms,
    )


def _hash_of(api_key: str) -> str:
    # A text from JSON may hold half of a surrogate pair, which no other encoding takes.
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()

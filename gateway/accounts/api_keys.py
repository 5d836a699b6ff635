"""API keys: one text that its holder presents. Only their hashes are stored.

A key is 256 random bits, so that a plain hash hides it as well as a slow one would.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from cutgate.gateway.accounts.accounts import Account, Accounts
from cutgate.gateway.accounts.recent import Decoded
from cutgate.gateway.accounts.records import AccountError, AccountRecord, ApiKeyRecord, Records, Terms
from cutgate.gateway.accounts.tables import API_KEYS, known_key

API_KEY_START: Final = "cutgate_"
"""What every API key begins with, for `keys revoke` and scanners of secrets to know it by; no public key of a pair
does."""

_KEY_BYTES: Final = 32
_PREFIX_CHARACTERS: Final = len(API_KEY_START) + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyCredentials:
    """An API key, as it is shown once."""

    account: str
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key as operators see it in a list."""

    account: str
    prefix: str
    """The key's first characters; they open nothing."""
    active: bool
    """Whether it and its account count."""
    created_at_seconds: float
    terms: Terms


class ApiKeys:
    """Adds, finds, lists and ends API keys."""

    def __init__(self, accounts: Accounts) -> None:
        """Work on the keys of accounts, in the same table."""
        self._accounts = accounts
        self._owners = Decoded(_owner)
        self._records = Records(accounts.table, API_KEYS, ApiKeyRecord)

    def add(self, name: str, *, terms: Terms | None = None) -> ApiKeyCredentials:
        """Add an API key to an account, which begins to exist with its first key.

        Args:
            name: the account.
            terms: what is set in them holds for the account from now on.

        Raises:
            AccountError: the name has a form that is not allowed.
        """
        api_key = API_KEY_START + secrets.token_urlsafe(_KEY_BYTES)
        self._accounts.begin(name)
        record = ApiKeyRecord(
            account=name, prefix=api_key[:_PREFIX_CHARACTERS], created_at_seconds=self._accounts.clock()
        )
        self._records.add(hash_of(api_key), record)
        if terms is not None:
            self._accounts.change(name, terms=terms)
        return ApiKeyCredentials(account=name, api_key=api_key)

    def find(self, api_key: str) -> Account | None:
        """Who holds an API key; None when it is unknown, or it or its account is not active.

        Whatever the text, the work is one hash and one look-up by it: its time tells nothing of keys that exist.

        Raises:
            LedgerUnavailable: the table is away.
        """
        return self.find_hashed(hash_of(api_key))

    def find_hashed(self, key_hash: str) -> Account | None:
        """The same by what `hash_of` gives."""
        records = self._accounts.table.read_key(API_KEYS, key_hash)
        owner = None if records is None else self._owners.of(key_hash, records)
        return None if owner is None else owner.confirmed()

    def known(self, key_hash: str) -> Account | None:
        """As `find_hashed`, from memory where it was found before.

        What it gives holds once the ledger has confirmed its `known_key`.
        """
        return self._owners.last(key_hash) or self.find_hashed(key_hash)

    def revoke(self, key: str) -> ApiKey:
        """End an API key for good.

        Args:
            key: the whole key, or the first characters of it that the list shows.

        Raises:
            AccountError: there is no such active key, or several begin so.
        """
        key_hash = hash_of(key)
        named = [name for name, record in self._records.all().items() if name == key_hash or record.prefix == key]
        if not named:
            raise AccountError("there is no such API key")
        if len(named) > 1:
            raise AccountError("several API keys begin so: name the whole key")

        def ended(record: ApiKeyRecord) -> ApiKeyRecord:
            if not record.active:
                raise AccountError("the API key is revoked")
            return record.model_copy(update={"active": False})

        record = self._records.change(named[0], ended, missing="there is no such API key")
        return _listed(record, self._accounts.record(record.account))

    def list(self, name: str | None = None) -> tuple[ApiKey, ...]:
        """Every API key, or those of an account, by account and age, without the keys themselves."""
        records = self._records.all().values()
        accounts = self._accounts.all()  # read after the keys: an account is there before its first one
        listed = (
            _listed(record, accounts[record.account]) for record in records if name in {None, record.account}
        )
        return tuple(sorted(listed, key=lambda key: (key.account, key.created_at_seconds, key.prefix)))


def _owner(key_hash: str, records: tuple[str, str]) -> Account | None:
    """Who holds a key; None where it or its account does not count."""
    key, account = ApiKeyRecord.model_validate_json(records[0]), AccountRecord.model_validate_json(records[1])
    if not (key.active and account.active):
        return None
    return Account(
        name=key.account,
        terms=account.terms,
        callback_url=account.callback_url,
        known_key=known_key(API_KEYS, key_hash, records),
    )


def _listed(record: ApiKeyRecord, account: AccountRecord) -> ApiKey:
    return ApiKey(
        account=record.account,
        prefix=record.prefix,
        active=record.active and account.active,
        created_at_seconds=record.created_at_seconds,
        terms=account.terms,
    )


def hash_of(api_key: str) -> str:
    """What stands for an API key wherever it is kept, in a connection that it opened as well."""
    # A text from JSON may hold half of a surrogate pair, which no other encoding takes.
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()

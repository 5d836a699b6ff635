"""Credentials of accounts: key pairs with encrypted private keys, and API keys, of which only hashes are stored.

Several credentials may belong to an account. A pair may have several live private keys, so that one can be
replaced without a moment in which neither counts; a signature's check needs them as text. An API key is 256 random
bits, so that a plain hash hides it as well as a slow one would.

What was found is kept decoded for as long as the records are what they were: what one process revokes counts in
every process with the next request.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cutgate.gateway.accounts.accounts import Account, Accounts
from cutgate.gateway.accounts.recent import Recent
from cutgate.gateway.accounts.records import AccountError, AccountRecord, CredentialRecord, SealedKey, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, CREDENTIALS, Resealed, known_key
from cutgate.jobs.record import KnownKey

API_KEY_START: Final = "cutgate_"
"""What every API key begins with, for `keys revoke` and scanners of secrets to know it by; no public key of a pair
does."""
MAX_LIVE_KEYS: Final = 3
"""Private keys of a pair that may count at a time: each one costs a digest of every picture."""

_PUBLIC_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_KEY_BYTES: Final = 32
_PREFIX_CHARACTERS: Final = len(API_KEY_START) + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A private key of a pair, as it is shown once."""

    account: str
    public_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key pair or an API key that counts, and whose it is."""

    name: str
    """The public key, or what is stored of the API key."""
    account: Account
    private_keys: tuple[str, ...] = field(default=(), repr=False)
    """Of a pair: every one that counts now."""
    known_key: KnownKey | None = field(default=None, repr=False)
    """The credential as it was found, where that was some time ago: the ledger is to confirm it."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A credential as its records had it."""

    records: tuple[str, str] = field(repr=False)
    credential: Credential | None
    """With all private keys; None where it or its account does not count."""
    sealed_keys: tuple[SealedKey, ...]
    """Of these."""

    def at(self, now_seconds: float) -> Credential | None:
        """With the private keys that count at a time."""
        live = [key.counts(now_seconds) for key in self.sealed_keys]
        if self.credential is None or all(live):
            return self.credential
        keys = zip(self.credential.private_keys, live, strict=True)
        return replace(self.credential, private_keys=tuple(key for key, counts in keys if counts))


class Credentials:
    """Adds, finds, changes, lists and ends credentials."""

    def __init__(self, accounts: Accounts, require_known: Callable[[], None] = lambda: None) -> None:
        """Work on the credentials of accounts, in the same table.

        `require_known` raises where the table may have lost its records: what is not found is then not unknown.
        """
        self._require_known = require_known
        self._accounts = accounts
        self._table = accounts.table
        self._seal = accounts.seal("private keys")
        self._recent = Recent[_Decoded]()

    def add_pair(
        self,
        name: str,
        *,
        public_key: str | None = None,
        private_key: str | None = None,
        terms: Terms | None = None,
    ) -> KeyPair:
        """Add a key pair to an account, which begins to exist with its first credential.

        Args:
            name: the account.
            public_key: a key that clients use already; made when absent.
            private_key: its private key; made when absent.
            terms: what is set in them holds for the account from now on.

        Raises:
            AccountError: a name or key has a form that is not allowed, or the public key is taken.
        """
        # Hexadecimal, for a key that begins with a hyphen would read as an option on a command line.
        public_key = public_key or secrets.token_hex(_KEY_BYTES)
        private_key = private_key or secrets.token_hex(_KEY_BYTES)
        if not _PUBLIC_KEY.fullmatch(public_key):
            raise AccountError("a public key is 1 to 128 printable ASCII characters")
        if public_key.startswith(API_KEY_START):
            raise AccountError(f"a public key does not begin with {API_KEY_START}, as API keys do")
        sealed = SealedKey(sealed=self._seal.close(public_key, private_key))
        self._add(name, public_key, terms, private_keys=(sealed,))
        return KeyPair(account=name, public_key=public_key, private_key=private_key)

    def add_api_key(self, name: str, *, terms: Terms | None = None) -> str:
        """Add an API key to an account, as `add_pair` adds a pair, and return it: it is shown this once."""
        api_key = API_KEY_START + secrets.token_urlsafe(_KEY_BYTES)
        self._add(name, stored_name(api_key), terms, prefix=api_key[:_PREFIX_CHARACTERS])
        return api_key

    def _add(self, account: str, name: str, terms: Terms | None, **facts: Any) -> None:
        self._accounts.begin(account)
        record = CredentialRecord(account=account, created_at_seconds=self._accounts.clock(), **facts)
        if not self._table.add(CREDENTIALS, name, record):
            raise AccountError("the public key is taken")
        if terms is not None:
            self._accounts.change(account, terms=terms)

    def find_pair(self, public_key: str, *, known: bool = False) -> Credential | None:
        """The pair of a public key; None when it is not registered, or it or its account is not active.

        Args:
            public_key: as it was sent.
            known: whether memory will do, since the ledger is asked to confirm the credential's `known_key`.

        Raises:
            AccountError: the record was written under another master key, or altered.
            ServiceUnavailable: the table is away, or not the service's.
        """
        if not _PUBLIC_KEY.fullmatch(public_key) or public_key.startswith(API_KEY_START):
            return None
        return self._find(public_key, known=known)

    def find_api_key(self, name: str, *, known: bool = False) -> Credential | None:
        """The API key of which `stored_name` gives the name, as `find_pair` finds a pair.

        Whatever the key, the work is one hash and one look-up by it: its time tells nothing of keys that exist.
        """
        return self._find(name, known=known)

    def of_account(self, name: str) -> Credential | None:
        """An account without a key of it; None where it is not there or not active."""
        record = self._table.get(ACCOUNTS, name)
        if record is None:
            self._require_known()
        if record is None or not record.active:
            return None
        account = Account(name=name, terms=record.terms, callback_url=record.callback_url)
        return Credential(name="", account=account)

    def _find(self, name: str, *, known: bool) -> Credential | None:
        now_seconds, last = self._accounts.clock(), self._recent.get(name)
        if known and last is not None and (found := last.at(now_seconds)) is not None:
            return found
        records = self._table.read_credential(name)
        if records is None:
            self._require_known()
            return None
        if last is None or last.records != records:
            last = self._decoded(name, records)
            self._recent.set(name, last)
        found = last.at(now_seconds)
        return None if found is None else replace(found, known_key=None)

    def _decoded(self, name: str, records: tuple[str, str]) -> _Decoded:
        record = CredentialRecord.model_validate_json(records[0])
        account = AccountRecord.model_validate_json(records[1])
        credential = Credential(
            name=name,
            account=Account(name=record.account, terms=account.terms, callback_url=account.callback_url),
            private_keys=tuple(self._seal.open(name, key.sealed) for key in record.private_keys),
            known_key=known_key(name, records),
        )
        return _Decoded(records, credential if record.active and account.active else None, record.private_keys)

    def rotate(self, public_key: str, grace_seconds: float | None = None) -> KeyPair:
        """Give a pair a new private key. The ones before stay live until `finish_rotation`, or for the time given.

        Raises:
            AccountError: there is no such active pair, or it has as many live keys as it may.
        """
        private_key = secrets.token_hex(_KEY_BYTES)
        sealed = SealedKey(sealed=self._seal.close(public_key, private_key))
        now_seconds = self._accounts.clock()

        def rotated(pair: CredentialRecord) -> CredentialRecord:
            live = pair.live_keys(now_seconds)
            if len(live) >= MAX_LIVE_KEYS:
                raise AccountError(f"the pair has {len(live)} live private keys: finish the last rotation first")
            if grace_seconds is not None:
                live = tuple(key.until(now_seconds + grace_seconds) for key in live)
            return pair.model_copy(update={"private_keys": (*live, sealed)})

        pair = self._change("key pair", public_key, rotated)
        return KeyPair(account=pair.account, public_key=public_key, private_key=private_key)

    def finish_rotation(self, public_key: str) -> None:
        """Drop every private key of an active pair but the newest."""

        def finished(pair: CredentialRecord) -> CredentialRecord:
            return pair.model_copy(update={"private_keys": pair.private_keys[-1:]})

        self._change("key pair", public_key, finished)

    def revoke(self, key: str) -> CredentialRecord:
        """End a credential for good; private keys are erased, and a public key is never given again.

        Args:
            key: a public key, a whole API key, or the first characters of one that the list shows.

        Raises:
            AccountError: there is no such active key, or several begin so.
        """
        what, name = ("API key", self._named(key)) if key.startswith(API_KEY_START) else ("key pair", key)
        ended = {"active": False, "private_keys": ()}
        return self._change(what, name, lambda record: record.model_copy(update=ended))

    def _named(self, key: str) -> str:
        """What an API key is stored under, of which all or the first characters are given."""
        whole, records = stored_name(key), self._table.all(CREDENTIALS)
        named = [name for name, record in records.items() if name == whole or record.prefix == key]
        if len(named) > 1:
            raise AccountError("several API keys begin so: name the whole key")
        return named[0] if named else whole

    def all(self) -> dict[str, CredentialRecord]:
        """Every credential by its name, in order of account, pairs before API keys, oldest first."""

        def place(named: tuple[str, CredentialRecord]) -> tuple[str, bool, float, str]:
            name, record = named
            return record.account, not record.is_pair, record.created_at_seconds, record.prefix or name

        return dict(sorted(self._table.all(CREDENTIALS).items(), key=place))

    def reseal(self) -> Iterator[tuple[str, Resealed]]:
        """Seal every private key under the first master key; yields each name and what became of it."""
        return self._table.reseal(CREDENTIALS, self._under_first_key)

    def _under_first_key(self, name: str, record: CredentialRecord) -> CredentialRecord:
        keys = tuple(
            key.model_copy(update={"sealed": self._seal.renewed(name, key.sealed)}) for key in record.private_keys
        )
        return record.model_copy(update={"private_keys": keys})

    def _change(
        self, what: str, name: str, change: Callable[[CredentialRecord], CredentialRecord]
    ) -> CredentialRecord:
        missing = f"there is no such {what}"

        def of_active(record: CredentialRecord) -> CredentialRecord:
            if record.is_pair != (what == "key pair"):
                raise AccountError(missing)
            if not record.active:
                raise AccountError(f"the {what} is revoked")
            return change(record)

        return self._table.change(CREDENTIALS, name, of_active, missing=missing)


def stored_name(api_key: str) -> str:
    """What stands for an API key wherever it is kept, in a connection that it opened as well: no public key."""
    # A text from JSON may hold half of a surrogate pair, which no other encoding takes.
    return API_KEY_START + hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()

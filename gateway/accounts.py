"""Accounts and their key pairs. Private keys lie encrypted, since a signature's check needs them as text.

An account is a record of its own; several key pairs may belong to it. A key pair may have several live private
keys, so that one can be replaced without a moment in which neither counts. Nothing of it is cached: what one
process revokes counts in every process with the next request.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from gateway.account_records import (
    AccountError,
    AccountRecord,
    PairRecord,
    PrivateKeySeal,
    Record,
    SealedKey,
    Terms,
)

PAIRS: Final = "key_pairs"
ACCOUNTS: Final = "accounts"
MAX_LIVE_KEYS: Final = 3
"""Private keys of a pair that may count at a time: each one costs a digest of every picture."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_PUBLIC_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_KEY_BYTES: Final = 32

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A private key of a pair, as it is shown once."""

    account: str
    public_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a public key belongs to, what signs for it, and on which terms."""

    name: str
    public_key: str
    private_keys: tuple[str, ...] = field(repr=False)
    """Every private key that counts now."""
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A key pair as operators see it in a list."""

    account: str
    public_key: str
    active: bool
    """Whether it and its account count."""
    private_key_count: int
    """Private keys that count now."""
    created_at_seconds: float
    terms: Terms


class KeyTable(Protocol):
    """Records under a kind (`PAIRS` by public key, `ACCOUNTS` by name) and a name.

    Every method raises `LedgerUnavailable` when it is away, and a call that is repeated since its reply was lost
    answers as the first one.
    """

    def read(self, kind: str, name: str) -> str | None:
        """A record, or None."""

    def read_pair(self, public_key: str) -> tuple[str, str] | None:
        """A key pair's record and that of its account, in one round trip; None unless both are there."""

    def add(self, kind: str, name: str, record: str) -> bool:
        """Write a record where there is none; False where there is another."""

    def replace(self, kind: str, name: str, before: str, after: str) -> bool:
        """Write a record where `before` stands; False where something else does by now."""

    def all(self, kind: str) -> dict[str, str]:
        """Every record of a kind."""


class Accounts:
    """Adds, changes, lists and finds accounts and key pairs."""

    def __init__(self, table: KeyTable, master_key: bytes, clock: Callable[[], float] = time.time) -> None:
        """Use a table.

        Args:
            table: where records lie.
            master_key: the installation's 32 bytes; private keys are encrypted with a key derived from it.
            clock: Unix time in seconds.
        """
        self._table = table
        self._seal = PrivateKeySeal(master_key)
        self._clock = clock

    def add(
        self,
        name: str,
        *,
        public_key: str | None = None,
        private_key: str | None = None,
        terms: Terms | None = None,
    ) -> Credentials:
        """Add a key pair to an account, which begins to exist with its first.

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
        if not _NAME.fullmatch(name):
            raise AccountError("an account's name is 1 to 64 letters, digits and . _ @ -")
        if not _PUBLIC_KEY.fullmatch(public_key):
            raise AccountError("a public key is 1 to 128 printable ASCII characters")
        # The account goes first: a pair never stands without one.
        self._table.add(ACCOUNTS, name, AccountRecord(created_at_seconds=self._clock()).model_dump_json())
        sealed = SealedKey(sealed=self._seal.close(public_key, private_key))
        pair = PairRecord(account=name, created_at_seconds=self._clock(), private_keys=(sealed,))
        if not self._table.add(PAIRS, public_key, pair.model_dump_json()):
            raise AccountError("the public key is taken")
        if terms is not None:
            self.change(name, terms=terms)
        return Credentials(account=name, public_key=public_key, private_key=private_key)

    def find(self, public_key: str) -> Account | None:
        """Who the public key belongs to; None when it is not registered, or it or its account is not active.

        Raises:
            AccountError: the record was written under another master key, or altered.
            LedgerUnavailable: the table is away.
        """
        if not _PUBLIC_KEY.fullmatch(public_key):
            return None
        found = self._table.read_pair(public_key)
        if found is None:
            return None
        pair, account = PairRecord.model_validate_json(found[0]), AccountRecord.model_validate_json(found[1])
        if not (pair.active and account.active):
            return None
        live = pair.live_keys(self._clock())
        keys = tuple(self._seal.open(public_key, key.sealed) for key in live)
        return Account(name=pair.account, public_key=public_key, private_keys=keys, terms=account.terms)

    def rotate(self, public_key: str, grace_seconds: float | None = None) -> Credentials:
        """Give a pair a new private key. The ones before stay live until `finish_rotation`, or for the time given.

        Args:
            public_key: names the pair.
            grace_seconds: how long the private keys of before go on counting.

        Raises:
            AccountError: there is no such active pair, or it has as many live keys as it may.
        """
        private_key = secrets.token_hex(_KEY_BYTES)
        sealed = SealedKey(sealed=self._seal.close(public_key, private_key))
        now_seconds = self._clock()

        def rotated(pair: PairRecord) -> PairRecord:
            live = pair.live_keys(now_seconds)
            if len(live) >= MAX_LIVE_KEYS:
                raise AccountError(f"the pair has {len(live)} live private keys: finish the last rotation first")
            if grace_seconds is not None:
                live = tuple(key.until(now_seconds + grace_seconds) for key in live)
            return pair.model_copy(update={"private_keys": (*live, sealed)})

        pair = self._change_pair(public_key, rotated)
        return Credentials(account=pair.account, public_key=public_key, private_key=private_key)

    def finish_rotation(self, public_key: str) -> None:
        """Drop every private key of a pair but the newest.

        Raises:
            AccountError: there is no such active pair.
        """
        self._change_pair(
            public_key, lambda pair: pair.model_copy(update={"private_keys": pair.private_keys[-1:]})
        )

    def revoke(self, public_key: str) -> None:
        """End a pair for good; its private keys are erased, and its public key is never given again.

        Raises:
            AccountError: there is no such active pair.
        """
        self._change_pair(public_key, lambda pair: pair.model_copy(update={"active": False, "private_keys": ()}))

    def record(self, name: str) -> AccountRecord:
        """An account as it stands.

        Raises:
            AccountError: there is none of the name.
        """
        raw = self._table.read(ACCOUNTS, name)
        if raw is None:
            raise AccountError(f"there is no account {name!r}")
        return AccountRecord.model_validate_json(raw)

    def change(
        self, name: str, *, terms: Terms | None = None, active: bool | None = None, from_defaults: bool = False
    ) -> AccountRecord:
        """Change what is given of an account, and return it as it stands then.

        Args:
            name: the account.
            terms: what is set in them replaces what holds.
            active: whether its key pairs count.
            from_defaults: forget first what was set before.

        Raises:
            AccountError: there is none of the name.
        """

        def changed(account: AccountRecord) -> AccountRecord:
            before = Terms() if from_defaults else account.terms
            given = {} if terms is None else terms.model_dump(exclude_none=True)
            return account.model_copy(
                update={
                    "terms": before.model_copy(update=given),
                    "active": account.active if active is None else active,
                }
            )

        return self._replace(ACCOUNTS, name, AccountRecord, f"there is no account {name!r}", changed)

    def list(self) -> tuple[KeyPair, ...]:
        """Every key pair, by account and public key, without the private keys."""
        accounts = {
            name: AccountRecord.model_validate_json(raw) for name, raw in self._table.all(ACCOUNTS).items()
        }
        pairs = {key: PairRecord.model_validate_json(raw) for key, raw in self._table.all(PAIRS).items()}
        listed = (
            KeyPair(
                account=pair.account,
                public_key=public_key,
                active=pair.active and accounts[pair.account].active,
                private_key_count=len(pair.live_keys(self._clock())),
                created_at_seconds=pair.created_at_seconds,
                terms=accounts[pair.account].terms,
            )
            for public_key, pair in pairs.items()
        )
        return tuple(sorted(listed, key=lambda pair: (pair.account, pair.public_key)))

    def _change_pair(self, public_key: str, change: Callable[[PairRecord], PairRecord]) -> PairRecord:
        missing = "there is no such key pair"

        def of_active(pair: PairRecord) -> PairRecord:
            if not pair.active:
                raise AccountError("the key pair is revoked")
            return change(pair)

        return self._replace(PAIRS, public_key, PairRecord, missing, of_active)

    def _replace(self, kind: str, name: str, form: type[R], missing: str, change: Callable[[R], R]) -> R:
        """Change a record; once more where another process changed it in between."""
        while True:
            before = self._table.read(kind, name)
            if before is None:
                raise AccountError(missing)
            after = change(form.model_validate_json(before))
            if self._table.replace(kind, name, before, after.model_dump_json()):
                return after

    def __repr__(self) -> str:
        return "Accounts(<key>)"

"""Key pairs of accounts. Private keys lie encrypted, since a signature's check needs them as text.

An account is a record of its own; several key pairs and API keys may belong to it. A key pair may have several
live private keys, so that one can be replaced without a moment in which neither counts. What was found is kept
decoded, for as long as the records are what they were: what one process revokes counts in every process with the
next request.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cutgate.gateway.accounts.accounts import Account, Accounts
from cutgate.gateway.accounts.api_keys import API_KEY_START
from cutgate.gateway.accounts.recent import Decoded
from cutgate.gateway.accounts.records import (
    AccountError,
    AccountRecord,
    PairRecord,
    Records,
    Resealed,
    SealedKey,
    Terms,
)
from cutgate.gateway.accounts.tables import PAIRS, known_key

MAX_LIVE_KEYS: Final = 3
"""Private keys of a pair that may count at a time: each one costs a digest of every picture."""

MIN_PRIVATE_KEY_CHARACTERS: Final = 20
"""Least length of a private key that is brought along: one signed request is enough to try out shorter ones."""
SOUND_PRIVATE_KEY_CHARACTERS: Final = 32
"""Below it a key may still be guessed, if it is not random throughout."""

_PUBLIC_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A private key of a pair, as it is shown once."""

    account: str
    public_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer(Account):
    """An account as the owner of one of its key pairs."""

    public_key: str
    private_keys: tuple[str, ...] = field(repr=False)
    """Every private key that counts now."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A pair as its records had it, decoded."""

    pair: PairRecord = field(repr=False)
    private_keys: Mapping[SealedKey, str] = field(repr=False)
    owner: Signer | None
    """With all private keys; None where the pair or its account does not count."""

    def signer(self, now_seconds: float) -> Signer | None:
        live = self.pair.live_keys(now_seconds)
        if self.owner is None or len(live) == len(self.private_keys):
            return self.owner
        return replace(self.owner, private_keys=tuple(self.private_keys[key] for key in live))


class KeyPairs:
    """Adds, changes, lists and finds key pairs."""

    def __init__(self, accounts: Accounts) -> None:
        """Work on the pairs of accounts, in the same table."""
        self._accounts = accounts
        self._found = Decoded(self._opened)
        self._records = Records(accounts.table, PAIRS, PairRecord)
        self._seal = accounts.seal("private keys")

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
        if not _PUBLIC_KEY.fullmatch(public_key):
            raise AccountError("a public key is 1 to 128 printable ASCII characters")
        if public_key.startswith(API_KEY_START):
            raise AccountError(f"a public key does not begin with {API_KEY_START}, as API keys do")
        self._accounts.begin(name)
        sealed = SealedKey(sealed=self._seal.close(public_key, private_key))
        pair = PairRecord(account=name, created_at_seconds=self._accounts.clock(), private_keys=(sealed,))
        if not self._records.add(public_key, pair):
            raise AccountError("the public key is taken")
        if terms is not None:
            self._accounts.change(name, terms=terms)
        return Credentials(account=name, public_key=public_key, private_key=private_key)

    def find(self, public_key: str) -> Signer | None:
        """Who the public key belongs to; None when it is not registered, or it or its account is not active.

        Raises:
            AccountError: the record was written under another master key, or altered.
            LedgerUnavailable: the table is away.
        """
        if not _PUBLIC_KEY.fullmatch(public_key):
            return None
        records = self._accounts.table.read_key(PAIRS, public_key)
        if records is None:
            return None
        signer = self._found.of(public_key, records).signer(self._accounts.clock())
        return None if signer is None else signer.confirmed()

    def known(self, public_key: str) -> Signer | None:
        """As `find`, from memory where it was found before.

        What it gives holds once the ledger has confirmed its `known_key`.
        """
        found = self._found.last(public_key)
        return (None if found is None else found.signer(self._accounts.clock())) or self.find(public_key)

    def _opened(self, public_key: str, records: tuple[str, str]) -> "_Found":
        pair, account = PairRecord.model_validate_json(records[0]), AccountRecord.model_validate_json(records[1])
        private_keys = {key: self._seal.open(public_key, key.sealed) for key in pair.private_keys}
        owner = Signer(
            name=pair.account,
            public_key=public_key,
            private_keys=tuple(private_keys.values()),
            terms=account.terms,
            callback_url=account.callback_url,
            known_key=known_key(PAIRS, public_key, records),
        )
        is_live = pair.active and account.active
        return _Found(pair=pair, private_keys=private_keys, owner=owner if is_live else None)

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
        now_seconds = self._accounts.clock()

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

    def reseal(self) -> Iterator[tuple[str, Resealed]]:
        """Seal every private key under the first master key; yields each public key and what became of it."""
        return self._records.reseal(self._under_first_key)

    def _under_first_key(self, public_key: str, pair: PairRecord) -> PairRecord:
        renewed = (self._seal.renewed(public_key, key.sealed) for key in pair.private_keys)
        keys = tuple(
            key.model_copy(update={"sealed": sealed})
            for key, sealed in zip(pair.private_keys, renewed, strict=True)
        )
        return pair.model_copy(update={"private_keys": keys})

    def list(self) -> tuple[KeyPair, ...]:
        """Every key pair, by account and public key, without the private keys."""
        pairs = self._records.all()
        accounts = self._accounts.all()  # read after the pairs: an account is there before its first one
        listed = (
            KeyPair(
                account=pair.account,
                public_key=public_key,
                active=pair.active and accounts[pair.account].active,
                private_key_count=len(pair.live_keys(self._accounts.clock())),
                created_at_seconds=pair.created_at_seconds,
                terms=accounts[pair.account].terms,
            )
            for public_key, pair in pairs.items()
        )
        return tuple(sorted(listed, key=lambda pair: (pair.account, pair.public_key)))

    def _change_pair(self, public_key: str, change: Callable[[PairRecord], PairRecord]) -> PairRecord:
        def of_active(pair: PairRecord) -> PairRecord:
            if not pair.active:
                raise AccountError("the key pair is revoked")
            return change(pair)

        return self._records.change(public_key, of_active, missing="there is no such key pair")

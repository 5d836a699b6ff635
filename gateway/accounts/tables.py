"""Tables of accounts and credentials in the ledger's server: one hash for each kind of record."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final, Generic, TypeVar, cast

from redis import Redis

from cutgate.gateway.accounts.records import AccountError, AccountRecord, CredentialRecord, Record
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.record import KnownKey
from cutgate.jobs.redis_client import ledger_errors

R = TypeVar("R", bound=Record)

_READ_CREDENTIAL: Final = """
local credential = redis.call('HGET', KEYS[1], ARGV[1])
if not credential then return nil end
local account = redis.call('HGET', KEYS[2], cjson.decode(credential).account)
if not account then return nil end
return {credential, account}
"""
_REPLACE: Final = """
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record == ARGV[3] then return 1 end
if record ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """A kind of record: the name of its hash, and its form."""

    name: str
    form: type[R]


ACCOUNTS: Final = Kind("accounts", AccountRecord)
CREDENTIALS: Final = Kind("credentials", CredentialRecord)


class Resealed(StrEnum):
    """What became of a record whose secrets were to be sealed under the first master key."""

    DONE = "resealed"
    BEFORE = "unchanged"
    """They were, or it has none."""
    UNREADABLE = "unreadable"
    """They were sealed under none of the master keys that are set."""


def known_key(name: str, records: tuple[str, str]) -> KnownKey:
    """A credential as `KeyTable.read_credential` found it, for the ledger to confirm later."""
    return KnownKey(name=name, version=hashlib.sha1("".join(records).encode(), usedforsecurity=False).hexdigest())


class KeyTable:
    """Records by kind and name: accounts by their names, credentials by public key or by the hash of an API key.

    Every method raises `LedgerUnavailable` when the server is away, and a call that is repeated since its reply
    was lost answers as the first one.
    """

    def __init__(self, client: Redis, *, key_prefix: str = KEY_PREFIX) -> None:
        """Use a server, to which `cutgate.jobs.redis_client.connect` gives the client."""
        self._client = client
        self._prefix = key_prefix
        self._read_credential = client.register_script(_READ_CREDENTIAL)
        self._replace = client.register_script(_REPLACE)

    def get(self, kind: Kind[R], name: str) -> R | None:
        """A record, or None."""
        raw = self._read(kind, name)
        return None if raw is None else kind.form.model_validate_json(raw)

    def read_credential(self, name: str) -> tuple[str, str] | None:
        """A credential's record and its account's, as JSON, in one round trip; None unless both are there."""
        with ledger_errors():
            found = self._read_credential(keys=[self._hash(CREDENTIALS), self._hash(ACCOUNTS)], args=[name])
        return None if found is None else (found[0], found[1])

    def add(self, kind: Kind[R], name: str, record: R) -> bool:
        """Write a record where there is none; False where there is another."""
        raw = record.encoded()
        with ledger_errors():
            return bool(self._client.hsetnx(self._hash(kind), name, raw)) or self._read(kind, name) == raw

    def change(self, kind: Kind[R], name: str, change: Callable[[R], R], *, missing: str) -> R:
        """Change a record, anew where another process did so meanwhile; `AccountError` where there is none."""
        while True:
            before = self._read(kind, name)
            if before is None:
                raise AccountError(missing)
            after = change(kind.form.model_validate_json(before))
            with ledger_errors():
                if self._replace(keys=[self._hash(kind)], args=[name, before, after.encoded()]):
                    return after

    def all(self, kind: Kind[R]) -> dict[str, R]:
        """Every record of a kind by its name."""
        with ledger_errors():
            found = cast("dict[str, str]", self._client.hgetall(self._hash(kind)))
        return {name: kind.form.model_validate_json(raw) for name, raw in found.items()}

    def reseal(self, kind: Kind[R], renew: Callable[[str, R], R]) -> Iterator[tuple[str, Resealed]]:
        """Have `renew` seal the secrets of every record under the first master key; others may change records.

        Yields:
            Each record's name, and what became of it.
        """
        for name, record in self.all(kind).items():
            try:
                renewed = renew(name, record) != record
                if renewed:
                    self.change(kind, name, partial(renew, name), missing=f"{name} is gone")
            except AccountError:
                yield name, Resealed.UNREADABLE
            else:
                yield name, Resealed.DONE if renewed else Resealed.BEFORE

    def _read(self, kind: Kind[R], name: str) -> str | None:
        with ledger_errors():
            return cast("str | None", self._client.hget(self._hash(kind), name))

    def _hash(self, kind: Kind[R]) -> str:
        return f"{self._prefix}{kind.name}"

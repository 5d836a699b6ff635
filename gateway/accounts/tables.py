"""Tables of accounts and their keys in the ledger's server, one hash for each kind of record."""

import hashlib
from typing import Final, cast

from redis import Redis

from cutgate.jobs.ledger.client import ledger_errors
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.record import KnownKey

_READ_KEY: Final = """
local key = redis.call('HGET', KEYS[1], ARGV[1])
if not key then return nil end
local account = redis.call('HGET', KEYS[2], cjson.decode(key).account)
if not account then return nil end
return {key, account}
"""
_REPLACE: Final = """
local record = redis.call('HGET', KEYS[1], ARGV[1])
if record == ARGV[3] then return 1 end
if record ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


ACCOUNTS: Final = "accounts"
PAIRS: Final = "key_pairs"
API_KEYS: Final = "api_keys"


def known_key(kind: str, name: str, records: tuple[str, str]) -> KnownKey:
    """A key as `KeyTable.read_key` found it, for the ledger to confirm later."""
    version = hashlib.sha1("".join(records).encode(), usedforsecurity=False).hexdigest()
    return KnownKey(kind=kind, name=name, version=version)


class KeyTable:
    """Records under a kind (`PAIRS` by public key, `API_KEYS` by hash, `ACCOUNTS` by name) and a name.

    Every method raises `LedgerUnavailable` when the server is away, and a call that is repeated since its reply
    was lost answers as the first one.
    """

    def __init__(self, client: Redis, *, key_prefix: str = KEY_PREFIX) -> None:
        """Use a server.

        Args:
            client: from `cutgate.jobs.ledger.client.connect`.
            key_prefix: of the hashes' names.
        """
        self._client = client
        self._prefix = key_prefix
        self._read_key = client.register_script(_READ_KEY)
        self._replace = client.register_script(_REPLACE)

    def read(self, kind: str, name: str) -> str | None:
        """A record, or None."""
        with ledger_errors():
            return cast("str | None", self._client.hget(self._hash(kind), name))

    def read_key(self, kind: str, name: str) -> tuple[str, str] | None:
        """The record of a pair or API key and of its account, in one round trip; None unless both are there."""
        with ledger_errors():
            found = self._read_key(keys=[self._hash(kind), self._hash(ACCOUNTS)], args=[name])
        return None if found is None else (found[0], found[1])

    def add(self, kind: str, name: str, record: str) -> bool:
        """Write a record where there is none; False where there is another."""
        with ledger_errors():
            return bool(self._client.hsetnx(self._hash(kind), name, record)) or self.read(kind, name) == record

    def replace(self, kind: str, name: str, before: str, after: str) -> bool:
        """Write a record where `before` stands; False where something else does by now."""
        with ledger_errors():
            return bool(self._replace(keys=[self._hash(kind)], args=[name, before, after]))

    def all(self, kind: str) -> dict[str, str]:
        """Every record of a kind."""
        with ledger_errors():
            return cast("dict[str, str]", self._client.hgetall(self._hash(kind)))

    def _hash(self, kind: str) -> str:
        return f"{self._prefix}{kind}"

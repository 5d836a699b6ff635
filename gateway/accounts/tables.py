"""Where accounts and their keys lie: in the ledger's server."""

from __future__ import annotations

from typing import Final, cast

from redis import Redis
from typing_extensions import override

from cutgate.gateway.accounts.accounts import ACCOUNTS, KeyTable
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.redis.client import ledger_errors

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


class RedisKeyTable(KeyTable):
    """One hash for each kind, a field for each name."""

    def __init__(self, client: Redis, *, key_prefix: str = KEY_PREFIX) -> None:
        """Use a server.

        Args:
            client: from `cutgate.jobs.ledger.redis.client.connect`.
            key_prefix: of the hashes' names.
        """
        self._client = client
        self._prefix = key_prefix
        self._read_key = client.register_script(_READ_KEY)
        self._replace = client.register_script(_REPLACE)

    @override
    def read(self, kind: str, name: str) -> str | None:
        with ledger_errors():
            return cast("str | None", self._client.hget(self._hash(kind), name))

    @override
    def read_key(self, kind: str, name: str) -> tuple[str, str] | None:
        with ledger_errors():
            found = self._read_key(keys=[self._hash(kind), self._hash(ACCOUNTS)], args=[name])
        return None if found is None else (found[0], found[1])

    @override
    def add(self, kind: str, name: str, record: str) -> bool:
        with ledger_errors():
            return bool(self._client.hsetnx(self._hash(kind), name, record)) or self.read(kind, name) == record

    @override
    def replace(self, kind: str, name: str, before: str, after: str) -> bool:
        with ledger_errors():
            return bool(self._replace(keys=[self._hash(kind)], args=[name, before, after]))

    @override
    def all(self, kind: str) -> dict[str, str]:
        with ledger_errors():
            return cast("dict[str, str]", self._client.hgetall(self._hash(kind)))

    def _hash(self, kind: str) -> str:
        return f"{self._prefix}{kind}"

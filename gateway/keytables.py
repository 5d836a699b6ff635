"""Where key pairs lie: in the ledger's server, or in memory for tests."""

from __future__ import annotations

from typing import Final, cast

from redis import Redis
from typing_extensions import override

from gateway.accounts import KeyTable
from jobs.stores.client import ledger_errors
from jobs.stores.keys import KEY_PREFIX

_TABLE: Final = "key_pairs"


class RedisKeyTable(KeyTable):
    """One hash, a field for each public key."""

    def __init__(self, client: Redis, *, key_prefix: str = KEY_PREFIX) -> None:
        """Use a server.

        Args:
            client: from `jobs.stores.client.connect`.
            key_prefix: of the hash's name.
        """
        self._client = client
        self._name = f"{key_prefix}{_TABLE}"

    @override
    def read(self, public_key: str) -> str | None:
        with ledger_errors():
            return cast("str | None", self._client.hget(self._name, public_key))

    @override
    def add(self, public_key: str, record: str) -> bool:
        with ledger_errors():
            return bool(self._client.hsetnx(self._name, public_key, record))

    @override
    def all(self) -> dict[str, str]:
        with ledger_errors():
            return cast("dict[str, str]", self._client.hgetall(self._name))


class MemoryKeyTable(KeyTable):
    """A dictionary; one process, for tests."""

    def __init__(self) -> None:
        self._records: dict[str, str] = {}

    @override
    def read(self, public_key: str) -> str | None:
        return self._records.get(public_key)

    @override
    def add(self, public_key: str, record: str) -> bool:
        if public_key in self._records:
            return False
        self._records[public_key] = record
        return True

    @override
    def all(self) -> dict[str, str]:
        return dict(self._records)

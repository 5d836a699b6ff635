"""Where key pairs lie: in the ledger's server, or in memory for tests."""

from __future__ import annotations

import redis
from redis.exceptions import RedisError

from jobs.errors import LedgerUnavailable

_TABLE = "keycut:{keys}"


class RedisKeyTable:
    """One hash, a field for each public key."""

    def __init__(self, client: redis.Redis) -> None:
        """Take a client that answers with bytes."""
        self._client = client

    def read(self, public_key: str) -> bytes | None:
        """See `gateway.accounts.KeyTable`."""
        try:
            return self._client.hget(_TABLE, public_key)
        except RedisError as error:
            raise _away(error) from error

    def add(self, public_key: str, record: bytes) -> bool:
        """See `gateway.accounts.KeyTable`."""
        try:
            return bool(self._client.hsetnx(_TABLE, public_key, record))
        except RedisError as error:
            raise _away(error) from error

    def all(self) -> dict[str, bytes]:
        """See `gateway.accounts.KeyTable`."""
        try:
            return {key.decode(): record for key, record in self._client.hgetall(_TABLE).items()}
        except RedisError as error:
            raise _away(error) from error


class MemoryKeyTable:
    """A dictionary; one process, for tests."""

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}

    def read(self, public_key: str) -> bytes | None:
        """See `gateway.accounts.KeyTable`."""
        return self._records.get(public_key)

    def add(self, public_key: str, record: bytes) -> bool:
        """See `gateway.accounts.KeyTable`."""
        return self._records.setdefault(public_key, record) is record

    def all(self) -> dict[str, bytes]:
        """See `gateway.accounts.KeyTable`."""
        return dict(self._records)


def _away(error: RedisError) -> LedgerUnavailable:
    return LedgerUnavailable(f"the server of the accounts does not answer ({type(error).__name__})")

"""The workers' presence in Redis or Valkey. The keys are listed in `jobs.stores.keys`."""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis
from typing_extensions import override

from jobs.presence import Presence, WorkerPresence
from jobs.stores.client import Scripts, ledger_errors, no_offset
from jobs.stores.codec import decode_presence, encode_presence, milliseconds
from jobs.stores.keys import KEY_PREFIX


class RedisPresence(Presence):
    """The workers' presence in Redis, on the server's clock."""

    def __init__(
        self,
        client: Redis,
        *,
        key_prefix: str = KEY_PREFIX,
        clock_offset_ms: Callable[[], int] = no_offset,
    ) -> None:
        """Use a server; the arguments are those of `RedisLedger`."""
        self._client = client
        self._prefix = key_prefix
        self._scripts = Scripts(client, key_prefix, clock_offset_ms)

    @override
    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None:
        text = encode_presence(worker)
        self._scripts.run("announce", owner=worker.owner, presence=text, ttl_ms=milliseconds(ttl_seconds))

    @override
    def leave(self, owner: str) -> None:
        with ledger_errors(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.zrem(f"{self._prefix}workers_until", owner)
            pipeline.hdel(f"{self._prefix}workers", owner)
            pipeline.execute()

    @override
    def alive(self) -> tuple[WorkerPresence, ...]:
        workers = (decode_presence(text) for text in self._scripts.run("alive"))
        return tuple(sorted(workers, key=lambda worker: worker.owner))

"""The workers' presence in Redis or Valkey. The keys are listed in `cutgate.jobs.ledger.keys`."""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis
from typing_extensions import override

from cutgate.jobs.ledger.encoding import decode_presence, encode_presence, milliseconds
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.presence import Presence, WorkerPresence
from cutgate.jobs.ledger.redis.client import Scripts, no_offset
from cutgate.jobs.spec import Lane


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
        self._scripts = Scripts(client, key_prefix, clock_offset_ms)

    @override
    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None:
        text = encode_presence(worker)
        self._scripts.run(
            "announce", owner=worker.owner, lane=worker.lane, presence=text, ttl_ms=milliseconds(ttl_seconds)
        )

    @override
    def leave(self, owner: str) -> None:
        self._scripts.run("leave", owner=owner)

    @override
    def alive(self) -> tuple[WorkerPresence, ...]:
        workers = (decode_presence(text) for text in self._scripts.run("alive"))
        return tuple(sorted(workers, key=lambda worker: (worker.owner, worker.lane)))

    @override
    def offered(self, within_seconds: float) -> frozenset[Lane]:
        recent = map(Lane, self._scripts.run("offered", within_ms=milliseconds(within_seconds)))
        # A worker from before there was a record of lanes has only its presence.
        return frozenset({*recent, *(worker.lane for worker in self.alive())})

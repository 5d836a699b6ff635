"""Presence of workers in Redis or Valkey. `cutgate.jobs.ledger.keys` lists the keys."""

from collections.abc import Callable

from redis import Redis

from cutgate.jobs.ledger.encoding import decode_presence, encode_presence, milliseconds
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.presence import WorkerPresence
from cutgate.jobs.ledger.redis.client import Scripts, no_offset
from cutgate.jobs.spec import Lane


class RedisPresence:
    """Where workers announce themselves. Every method raises `LedgerUnavailable` when the server is away."""

    def __init__(
        self,
        client: Redis,
        *,
        key_prefix: str = KEY_PREFIX,
        clock_offset_ms: Callable[[], int] = no_offset,
    ) -> None:
        """Use a server; the arguments are those of `RedisLedger`."""
        self._scripts = Scripts(client, key_prefix, clock_offset_ms)

    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None:
        """Count as alive in this lane for so long."""
        text = encode_presence(worker)
        self._scripts.run(
            "announce", owner=worker.owner, lane=worker.lane, presence=text, ttl_ms=milliseconds(ttl_seconds)
        )

    def leave(self, owner: str) -> None:
        """Count as gone at once, from every lane."""
        self._scripts.run("leave", owner=owner)

    def alive(self) -> tuple[WorkerPresence, ...]:
        """The workers that are alive, each once for every lane that it offers, by owner and lane."""
        workers = (decode_presence(text) for text in self._scripts.run("alive"))
        return tuple(sorted(workers, key=lambda worker: (worker.owner, worker.lane)))

    def offered(self, within_seconds: float) -> frozenset[Lane]:
        """The lanes that a worker offers, or has offered within so long."""
        recent = map(Lane, self._scripts.run("offered", within_ms=milliseconds(within_seconds)))
        return frozenset(recent)

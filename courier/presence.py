"""Liveness of the courier on this machine, for health checks."""

import time
from typing import Final

from redis import Redis

from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.redis_client import ledger_errors

_BEAT_SECONDS: Final = 5.0
_TTL_SECONDS: Final = 20


class CourierPresence:
    """A key in the ledger's server that lives as long as the courier's loop goes round.

    Every method raises `LedgerUnavailable` when the server is away.

    | Key | Type | Holds |
    | --- | --- | --- |
    | `courier:<machine>` | string, expires | the process that said last that it is alive |
    """

    def __init__(
        self,
        client: Redis,
        host: str,
        process: str = "",
        *,
        key_prefix: str = KEY_PREFIX,
        alive_file: AliveFile | None = None,
    ) -> None:
        """Say at the ledger's server, and in a file for checks that cannot ask it, that a process of a host lives.

        A health check needs no process.
        """
        self._client, self._key, self._process = client, f"{key_prefix}courier:{host}", process
        self._alive_file = alive_file or AliveFile(None)
        # Of a process before this one, in a container that has started again.
        self._alive_file.drop()
        self._announced_at_seconds = -_BEAT_SECONDS

    def announce(self) -> None:
        """Count as alive for a while; called often, it asks the server seldom."""
        now_seconds = time.monotonic()
        if now_seconds < self._announced_at_seconds + _BEAT_SECONDS:
            return
        with ledger_errors():
            self._client.set(self._key, self._process, ex=_TTL_SECONDS)
        self._announced_at_seconds = now_seconds
        self._alive_file.keep(_TTL_SECONDS)

    def leave(self) -> None:
        """Count as gone; where several run on a machine, the next one's beat corrects it."""
        self._alive_file.drop()
        with ledger_errors():
            self._client.delete(self._key)

    def alive(self) -> bool:
        """Whether a courier of the machine is alive."""
        with ledger_errors():
            return bool(self._client.exists(self._key))

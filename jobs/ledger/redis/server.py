"""Checks that a server is fit for the ledger: version, eviction policy, persistence."""

from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis import Redis, exceptions

from cutgate.jobs.ledger.redis.client import ledger_errors

KEEP_ALL: Final = "noeviction"
LEAST_REDIS: Final = (7, 0)
LEAST_VALKEY: Final = (7, 2)
GOOD_SERVERS: Final = "Redis 7.0 or newer, or Valkey 7.2 or newer"

log = structlog.get_logger(__name__)


class ServerUnfit(Exception):
    """The server cannot hold the ledger; the text says why, and what to do."""


class ServerTooOld(ServerUnfit):
    """The server lacks what the ledger's scripts need."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is too old for the ledger; use {GOOD_SERVERS}")
        self.name = name


class EvictingServer(ServerUnfit):
    """The server throws keys away when its memory is full; with them go tasks, claims and credits."""

    def __init__(self, policy: str) -> None:
        super().__init__(
            f"the Redis server's maxmemory-policy is {policy}, so it may throw tasks away; start it with "
            "`--maxmemory-policy noeviction`, or run `CONFIG SET maxmemory-policy noeviction`"
        )
        self.policy = policy


class ClusteredServer(ServerUnfit):
    """The server is a node of a Redis Cluster."""

    def __init__(self) -> None:
        super().__init__(
            "the Redis server is a node of a cluster, over which hints cannot be sent; use a single server, or "
            "sentinels in front of one and its replicas"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server says of itself; None where it may not be asked."""

    name: str | None
    """Such as `Valkey 9.1.2`."""
    is_old: bool
    is_cluster: bool
    eviction_policy: str | None
    keeps_file: bool | None
    """Whether it writes an append-only file."""

    @classmethod
    def of(cls, client: Redis) -> "ServerFacts":
        """Ask a server.

        Raises:
            LedgerUnavailable: it does not answer.
        """
        with ledger_errors():
            try:
                # Unlike CONFIG, INFO is allowed on most managed servers.
                said: dict[str, Any] = client.info()
            except exceptions.NoPermissionError:
                said = {}
        name, version = _name_and_version(said)
        least = LEAST_VALKEY if name == "Valkey" else LEAST_REDIS
        return cls(
            name=f"{name} {'.'.join(map(str, version))}" if version else None,
            is_old=bool(version) and version < least,
            is_cluster=bool(said.get("cluster_enabled")),
            eviction_policy=said.get("maxmemory_policy"),
            keeps_file=bool(said["aof_enabled"]) if "aof_enabled" in said else None,
        )

    def require_fit(self) -> None:
        """Make sure that the server can hold the ledger.

        Raises:
            ServerUnfit: it cannot.
        """
        if self.is_old:
            raise ServerTooOld(self.name or "")
        if self.is_cluster:
            raise ClusteredServer
        if self.eviction_policy not in {None, KEEP_ALL}:
            raise EvictingServer(str(self.eviction_policy))

    def warn(self) -> None:
        """Say in the log what is risky about the server, or not known."""
        if self.eviction_policy is None:
            log.warning("eviction_policy_unknown", remedy="make sure that maxmemory-policy is noeviction")
        if self.keeps_file is False:
            log.warning(
                "ledger_not_on_disk",
                server=self.name,
                risk="whatever stops the server loses every task that has not ended, and the credits",
                remedy="start it with `--appendonly yes`, or run `CONFIG SET appendonly yes`",
            )


def _name_and_version(said: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    if "valkey_version" in said:
        return "Valkey", _numbers(said["valkey_version"])
    return "Redis", _numbers(said.get("redis_version", ""))


def _numbers(version: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(version).split(".") if part.isdecimal())

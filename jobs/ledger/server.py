"""The ledger's server: whether it is fit for a ledger, and has room."""

import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis import Redis, exceptions

from cutgate.jobs.answers import Memory
from cutgate.jobs.errors import LedgerFull, LedgerUnavailable, WrongInstallation
from cutgate.jobs.ledger.database import Database
from cutgate.jobs.redis_client import ledger_errors

KEEP_ALL: Final = "noeviction"
LEAST_REDIS: Final = (7, 0)
LEAST_VALKEY: Final = (7, 2)
GOOD_SERVERS: Final = "Redis 7.0 or newer, or Valkey 7.2 or newer"

ROOM_SECONDS: Final = 1.0
"""How long what the server said of its memory counts."""

log = structlog.get_logger(__name__)


class ServerUnfit(Exception):
    """The server cannot hold the ledger; the text says why, and what to do."""


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
        """Ask a server."""
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
            raise ServerUnfit(f"{self.name} is too old for the ledger; use {GOOD_SERVERS}")
        if self.is_cluster:
            raise ServerUnfit(
                "the Redis server is a node of a cluster, over which hints cannot be sent; use a single server, "
                "or sentinels in front of one and its replicas"
            )
        if self.eviction_policy not in {None, KEEP_ALL}:
            raise ServerUnfit(
                f"the Redis server's maxmemory-policy is {self.eviction_policy}, so it may throw tasks away; "
                "start it with `--maxmemory-policy noeviction`, or run `CONFIG SET maxmemory-policy noeviction`"
            )

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


class Server:
    """The server that the ledger lies in: whether it answers, is fit, and has room."""

    wrong: str | None = None
    """Why ledger and storage do not belong together, as the watch found last; None where they do."""
    known: str | None = None
    """The installation's id when they did last."""
    _run_id: str | None = None
    _room_checked_at_seconds = -ROOM_SECONDS
    _is_short = False

    def __init__(self, database: Database) -> None:
        self._db = database

    def require_fit(self) -> None:
        """Make sure that the server can hold a ledger, unless it is the one that was looked at last.

        Raises:
            ServerUnfit: it cannot.
        """
        current = run_id(self._db.client)
        if current != self._run_id:
            facts = ServerFacts.of(self._db.client)
            self._run_id = current
            facts.require_fit()
            facts.warn()

    def installation(self) -> str | None:
        """The id of the installation that the ledger is of; None while it has none."""
        with ledger_errors():
            found = self._db.client.get(self._db.key("installation"))
        return None if found is None else str(found)

    def install(self, installation: str) -> str:
        """Give the ledger an id unless it has one; answers the one that then stands."""
        with ledger_errors():
            self._db.client.setnx(self._db.key("installation"), installation)
        return self.installation() or installation

    def require_known(self) -> None:
        """Make sure that the ledger is still the one that was watched: an empty or foreign one knows nobody.

        Raises:
            WrongInstallation: it is not.
        """
        if self.wrong is not None or (self.known is not None and self.installation() != self.known):
            raise WrongInstallation(self.wrong or "the ledger has lost its id, or has another one")

    def clock_offset_seconds(self) -> float:
        """How far the server's clock is ahead of this machine's."""
        with ledger_errors():
            seconds, microseconds = self._db.client.time()
        return float(seconds + microseconds / 1_000_000 - time.time())

    def memory(self) -> Memory:
        """What the server holds in memory, and how much it may."""
        with ledger_errors():
            said = self._db.client.info("memory")
        return Memory(used_bytes=said["used_memory"], limit_bytes=said.get("maxmemory", 0))

    def require_room(self) -> None:
        """Make sure that the ledger takes something new: the server has memory, as it said within the last second.

        Raises:
            LedgerFull: it has not.
            WrongInstallation: ledger and storage do not belong together.
        """
        if self.wrong is not None:
            raise WrongInstallation(self.wrong)
        now_seconds = time.monotonic()
        if now_seconds >= self._room_checked_at_seconds + ROOM_SECONDS:
            self._is_short, self._room_checked_at_seconds = self._is_memory_short(), now_seconds
        if self._is_short:
            raise LedgerFull("the ledger's server is almost full")

    def _is_memory_short(self) -> bool:
        try:
            return self.memory().is_short
        except LedgerUnavailable as error:
            if isinstance(error.__cause__, exceptions.NoPermissionError):
                return False  # a server that does not say; it refuses by itself once it is full
            raise

    def ping(self) -> None:
        """Raise `LedgerUnavailable` unless the server answers."""
        with ledger_errors():
            self._db.client.ping()


def run_id(client: Redis) -> str:
    """Of a server as it runs now; empty where it does not say."""
    try:
        with ledger_errors():
            found: str = client.info("server")["run_id"]
    except LedgerUnavailable as error:
        if isinstance(error.__cause__, exceptions.NoPermissionError):
            return ""
        raise
    return found


def _name_and_version(said: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    if "valkey_version" in said:
        return "Valkey", _numbers(said["valkey_version"])
    return "Redis", _numbers(said.get("redis_version", ""))


def _numbers(version: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(version).split(".") if part.isdecimal())

"""A real ledger for every test that needs one: one server a process of the run, a prefix a ledger."""

import atexit
import functools
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from cutgate.gateway.accounts.tables import KeyTable, Kind
from cutgate.gateway.runware.sockets.sessions import KEEP_SECONDS, Sessions
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ledger.database import Scripts
from cutgate.jobs.ledger.encoding import decode_spec
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import Presence
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CutoutSpec, Lane
from tests.fakes import ManualClock
from tests.servers.redis_server import redis_server

_listening = ExitStack()
"""The news that this test listens to."""


_servers: Final[list[Path | None]] = [None]
"""Programs of servers; the last one counts. None stands for the usual one."""


@contextmanager
def on_server(binary: Path) -> Iterator[None]:
    """Have a block's ledgers on another program's server."""
    _servers.append(binary)
    try:
        yield
    finally:
        _servers.pop()


def server_url() -> str:
    """The address of this process's server, which runs until the process ends."""
    return _url_of(_servers[-1])


def server() -> Redis:
    return _client_of(_servers[-1])


@functools.cache
def _url_of(binary: Path | None) -> str:
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(redis_server(binary=binary))


@functools.cache
def _client_of(binary: Path | None) -> Redis:
    return connect(_url_of(binary))


def fresh_prefix() -> str:
    """A prefix that no other test uses, with a hash tag as the ledger wants it."""
    return f"{{test-{secrets.token_hex(8)}}}:"


def stop_listening() -> None:
    """End the threads of a test's ledgers."""
    _listening.close()


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What is kept of an item until it has ended, and no caller is told."""

    spec: CutoutSpec
    source: BlobKey


def stored_item(store: Ledger, uid: TaskUid, index: int = 0) -> StoredItem:
    """An item that has not ended."""
    fields: Any = store.database.client.hgetall(f"{store.database.key_prefix}item:{uid}:{index}")
    return StoredItem(decode_spec(fields["spec"]), BlobKey.parse(fields["source"]))


def hints_of(store: Ledger) -> list[Lane]:
    """The lanes that workers were told of, a name for each hint that none has taken."""
    messages = [message for name in _queues_of(store) for message in store.database.client.lrange(name, 0, -1)]
    return [Lane(json.loads(json.loads(message)["body"])[0][0]) for message in messages]


def lose_hints(store: Ledger, count: int | None = None) -> int:
    """Take hints, all or so many of each lane, as a worker does or a loss; how many there were."""
    return sum(len(store.database.client.lpop(name, count or 10**6) or ()) for name in _queues_of(store))


def _queues_of(store: Ledger) -> list[str]:
    lanes: Any = store.database.client.smembers(f"{store.database.key_prefix}lanes")
    return [f"{store.database.key_prefix}hints:{lane}" for lane in sorted(lanes)]


def spent_sources(store: Ledger) -> set[BlobKey]:
    """Sources of items that have ended, whether their time is over or not."""
    names: Any = store.database.client.zrange(f"{store.database.key_prefix}spent", 0, -1)
    return set(map(BlobKey.parse, names))


def kept_sources(store: Ledger, uid: TaskUid) -> set[BlobKey]:
    """What lies in storage for an ended task's items as long as the task: sources, backgrounds and masks."""
    client: Any = store.database.client
    if client.hget(store.database.key(f"task:{uid}"), "kept") is None:
        return set()
    items = client.scan_iter(store.database.key(f"item:{uid}:*"))
    names = (client.hmget(item, ["source", "background", "mask"]) for item in items)
    return {BlobKey.parse(name) for item in names for name in item if name}


class ReadableLedger(Ledger):
    """The ledger, with questions that only tests ask."""

    def booked(self, account: str) -> int:
        """The price of everything that was ever done for an account, metered or not."""
        [(_, booked)] = self.accounts.credits([account])
        return booked

    def waiting(self, lane: Lane) -> int:
        """How many items wait in a lane."""
        return self.database.client.zcard(self.database.key(f"lane:{lane}"))

    def expired(self) -> tuple[TaskUid, ...]:
        """Hide what is past its retention."""
        return tuple(record.uid for record in self.upkeep.hide_expired())

    def strikes(self, account: str) -> int:
        """How often an item of an account has harmed its worker of late."""
        return self.database.client.llen(self.database.key(f"strikes:{account}"))

    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that an item ever waited in, in order."""
        return tuple(lane.lane for lane in self.figures().lanes)


class FreshLedger(ReadableLedger):
    """An empty ledger, on a clock that can be put forward."""

    def __init__(
        self, limits: LedgerLimits | None = None, clock: ManualClock | None = None, key_prefix: str | None = None
    ) -> None:
        self.key_prefix = key_prefix or fresh_prefix()
        super().__init__(
            server(),
            limits or LedgerLimits(),
            key_prefix=self.key_prefix,
            clock_offset_ms=(clock or ManualClock()).offset_ms,
        )

    @functools.cached_property
    def events(self) -> TaskEvents:
        return _listening.enter_context(TaskEvents(server_url(), key_prefix=self.key_prefix))


def fresh_presence(clock: ManualClock | None = None, key_prefix: str | None = None) -> Presence:
    """Nobody is there yet; on a clock that can be put forward."""
    return FreshLedger(None, clock, key_prefix).presence


def fresh_key_table(key_prefix: str | None = None) -> KeyTable:
    """No accounts yet."""
    return KeyTable(server(), key_prefix=key_prefix or fresh_prefix())


def stored_records(table: KeyTable, kind: Kind[Any]) -> dict[str, str]:
    """Records of accounts or credentials as the server has them, by their names."""
    found: Any = server().hgetall(f"{table._prefix}{kind.name}")
    return dict(found)


def fresh_sessions(keep_seconds: float = KEEP_SECONDS, key_prefix: str = "") -> Sessions:
    """Sessions that no other test uses, or those beneath a prefix."""
    return Sessions(server(), keep_seconds=keep_seconds, key_prefix=key_prefix or fresh_prefix())


def noted_calls(patch: pytest.MonkeyPatch) -> list[str]:
    """The names of the ledger's scripts, as they are run from now on."""
    names: list[str] = []
    run = Scripts.run

    def noted(scripts: Scripts, name: str, **arguments: Any) -> Any:
        names.append(name)
        return run(scripts, name, **arguments)

    patch.setattr(Scripts, "run", noted)
    return names

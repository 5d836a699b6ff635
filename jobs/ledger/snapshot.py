"""Copies of the ledger as it was at one moment, as a file of keys that is read and loaded over a connection.

Keys are read one after the other while the service goes on. The server tells which have changed meanwhile; those
are read again, the last of them while it holds back everybody's writes, for milliseconds. Of several lines of one
key in the file the last holds.

Not the server's own file: managed servers do not hand theirs out, and none loads one without being restarted.
"""

import base64
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from redis import Redis

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.ledger.database import batches
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.upkeep import blobs_of
from cutgate.jobs.record import ItemState
from cutgate.jobs.redis_client import ledger_errors

PAUSE_SECONDS: Final = 5.0
"""How long writes may be held back at the end; a third of a lease."""
_BATCH: Final = 500
_CALM_KEYS: Final = 500
"""When no more have changed since the last look, writes are held back, and after so many looks at the latest."""
_ROUNDS: Final = 20
REPLY_SECONDS: Final = 30.0
"""How long an answer may take: some are hundreds of records."""
_CHANGES: Final = "__redis__:invalidate"
_FIELDS: Final = {
    "account": ("open", "reserved"),
    "item": ("state", "account", "reserved", "source", "sent", "background", "mask", "result"),
    "task": ("hidden", "items"),
    "upload": ("hidden", "picture"),
}
"""What a check of a copy reads of its records."""
_PICTURES: Final = ("source", "background", "mask")
_OPEN: Final = frozenset({ItemState.FETCHING, ItemState.QUEUED, ItemState.RUNNING})

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as the copy has it."""

    key: str
    until_ms: int
    """When it expires; -1 for never."""
    value: bytes | None
    """As the server dumps it; None where the key was deleted while the copy was made."""
    fields: dict[str, str]
    """Of `_FIELDS`, those that it has."""

    @classmethod
    def parse(cls, line: str | bytes) -> Self:
        """The inverse of `line`."""
        key, until_ms, value, fields = json.loads(line)
        return cls(key, until_ms, None if value is None else base64.b64decode(value), fields)

    def line(self) -> bytes:
        """As the file has it."""
        value = None if self.value is None else base64.b64encode(self.value).decode("ascii")
        return json.dumps([self.key, self.until_ms, value, self.fields]).encode() + b"\n"

    @property
    def kind(self) -> str:
        """What it is, such as `item`."""
        return self.key.removeprefix(KEY_PREFIX).partition(":")[0]

    @property
    def is_open(self) -> bool:
        """Whether it is an item that has not ended."""
        return self.kind == "item" and self.fields.get("state") in _OPEN

    def blobs(self) -> tuple[BlobKey, ...]:
        """The pictures that it needs."""
        of, uid = self.fields, self.key.removeprefix(KEY_PREFIX).split(":")[-1]
        if self.kind != "item":
            return () if "hidden" in of else blobs_of(uid, of.get("items"), None, of.get("picture"))
        uid, _, _ = self.key.removeprefix(f"{KEY_PREFIX}item:").partition(":")
        # What an ended item has of these stays with its task.
        roles = ("background", "mask") if of["state"] == "fetching" and "sent" not in of else _PICTURES
        items = f"[[0,0,0,{of['result']}]]" if "result" in of else None
        return blobs_of(uid, items, " ".join(of[role] for role in roles if role in of), None)


class Snapshots:
    """Copies the ledger of one server, and loads copies."""

    def __init__(self, client: Redis) -> None:
        """Use a server; the client is from `connect` with `raw`, as a user who may administer it."""
        self._client = client

    def lines(self, say: Say) -> Iterator[bytes]:
        """Copy the ledger as it is at one moment.

        Args:
            say: is told how far it is.

        Yields:
            The lines of a file; writes are held back between the last ones.

        Raises:
            LedgerUnavailable: a connection broke, the ledger was emptied, or its last changes take too long.
        """
        server: Any = self._client  # redis-py leaves some methods without types
        with ledger_errors(), server.pubsub() as ears, server.client() as reader:
            ears.execute_command("CLIENT", "ID")
            reader.client_tracking_on(clientid=ears.parse_response(), bcast=True, prefix=[KEY_PREFIX])
            ears.subscribe(_CHANGES)
            count = 0
            for keys in batches(reader.scan_iter(match=f"{KEY_PREFIX}*", count=_BATCH), _BATCH):
                yield from _lines(reader, keys)
                count += len(keys)
                if count % (100 * _BATCH) == 0:
                    say(f"{count} keys of the ledger")
            for _ in range(_ROUNDS):
                if len(changed := _changed(reader, ears)) <= _CALM_KEYS:
                    break
                yield from _lines(reader, changed)
            with _writes_held_back(reader):
                yield from _lines(reader, changed | _changed(reader, ears))
                tracked = reader.execute_command("CLIENT", "TRACKINGINFO")
                if b"bcast" not in tracked[1] or b"broken_redirect" in tracked[1]:
                    raise LedgerUnavailable("the connection broke while the ledger was copied: try again")
        say(f"{count} keys of the ledger")

    def load(self, entries: Iterable[Entry], say: Say) -> set[str]:
        """Write the keys of a copy, but for the installation's id, without which the ledger is nobody's.

        Args:
            entries: from `read`, for a ledger that is empty.
            say: is told how far it is.

        Returns:
            Workers that had items at the copy's moment.
        """
        owners, count = set(), 0
        for batch in batches(entries, _BATCH):
            pipe = self._client.pipeline(transaction=False)
            for entry in batch:
                if entry.value is None:
                    pipe.delete(entry.key)
                elif entry.kind != "installation":
                    pipe.restore(
                        entry.key, max(entry.until_ms, 0), entry.value, replace=True, absttl=entry.until_ms > 0
                    )
                if entry.kind == "held":
                    owners.add(entry.key.removeprefix(f"{KEY_PREFIX}held:"))
            pipe.execute()
            count += len(batch)
            if count % (100 * _BATCH) == 0:
                say(f"{count} keys of the ledger")
        return owners

    def clear(self) -> None:
        """Delete all that is the ledger's."""
        for keys in batches(self._client.scan_iter(match=f"{KEY_PREFIX}*", count=_BATCH), _BATCH):
            self._client.unlink(*keys)

    def has(self, *names: str) -> bool:
        """Whether the ledger has any of these keys."""
        with ledger_errors():
            return bool(self._client.exists(*(f"{KEY_PREFIX}{name}" for name in names)))


def read(file: Iterable[bytes]) -> Iterator[Entry]:
    """The keys of a copy; of several of one name the last holds."""
    return map(Entry.parse, file)


def _lines(reader: Redis, keys: Collection[bytes]) -> Iterator[bytes]:
    names = [key.decode() for key in keys]
    pipe: Any = reader.pipeline(transaction=False)
    asked = [_FIELDS.get(Entry(name, 0, None, {}).kind, ()) for name in names]
    for name, fields in zip(names, asked, strict=True):
        pipe.dump(name).pexpiretime(name)
        if fields:
            pipe.hmget(name, fields)
    answers = iter(pipe.execute())
    for name, fields in zip(names, asked, strict=True):
        value, until_ms = next(answers), next(answers)
        found = zip(fields, next(answers) if fields else (), strict=True)
        texts = {field: text.decode() for field, text in found if text is not None}
        yield Entry(name, until_ms, value, texts).line()


def _changed(reader: Redis, ears: Any) -> set[bytes]:
    """The keys that have changed since the last call."""
    reader.ping()  # what was changed before its answer is told before the next one's
    ears.ping()
    changed: set[bytes] = set()
    while (message := ears.get_message(timeout=REPLY_SECONDS)) is not None:
        if message["type"] == "pong":
            return changed
        if message["type"] == "message":
            if message["data"] is None:
                raise LedgerUnavailable("the ledger was emptied while it was copied")
            changed.update(message["data"])
    raise LedgerUnavailable("the ledger's server does not tell what changes")


@contextmanager
def _writes_held_back(reader: Redis) -> Iterator[None]:
    started_seconds = time.monotonic()
    reader.client_pause(round(PAUSE_SECONDS * 1_000), all=False)
    try:
        yield
    finally:
        reader.client_unpause()
    if time.monotonic() - started_seconds > PAUSE_SECONDS:
        raise LedgerUnavailable(f"the last changes took more than {PAUSE_SECONDS:.0f} s to read: try again")

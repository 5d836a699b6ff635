"""What every part of the ledger works on: scripts in the server, the limits, and the prefix of all keys."""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha1
from importlib import resources
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from redis import Redis, exceptions

from cutgate.jobs.errors import TimedOut, WorkerLost
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.encoding import encode_error, milliseconds
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.redis_client import ledger_errors

CALL_MEMORY_SECONDS: Final = 60
"""How long a call's answer is remembered: far longer than a client goes on repeating it."""
BATCH: Final = 200
"""The most items of one kind, or tasks, that one call takes on: a call must stay short."""
_TOO_SLOW: Final = TimedOut("the picture took longer than the service allows").facts()
_FRESH_SECONDS: Final = 1.0
"""How long a connection may rest before it is looked at again: whatever lies between may have closed it."""
_KEPT: Final = "cutgate_kept_connections"
_NEEDS: Final = "-- needs: "
_REFUSED_WHEN_FULL: Final = frozenset({"create", "keep_upload", "kept", "retry"})
"""Scripts that a full server refuses, before they have written anything. All others go on: they end, renew, reap,
delete or read, and without them nothing would ever be freed."""

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
T = TypeVar("T")


def batches(things: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Lists of at most so many."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


def no_offset() -> int:
    """What is added to the server's clock outside tests."""
    return 0


@cache
def script_texts() -> dict[str, str]:
    """Every script of `lua/` by its name, behind the shared parts that it needs."""
    subjects = {
        folder.name: {file.name.removesuffix(".lua"): file.read_text("utf-8") for file in folder.iterdir()}
        for folder in (resources.files("cutgate.jobs.ledger") / "lua").iterdir()
    }
    shared = subjects.pop("shared")
    return {
        name: "\n".join([_flags(name), shared["start"], *(shared[part] for part in _parts_of(text, shared)), text])
        for scripts in subjects.values()
        for name, text in scripts.items()
    }


def _flags(name: str) -> str:
    """A script's first line, by which the server knows what it may do."""
    return "#!lua" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom"


def named_parts(text: str) -> list[str]:
    """The shared parts that a script or a part names on its first line."""
    first, _, _ = text.partition("\n")
    return first.removeprefix(_NEEDS).split(", ") if first.startswith(_NEEDS) else []


def _parts_of(text: str, shared: Mapping[str, str]) -> dict[str, None]:
    """The parts that a text names, each behind those that it names itself; the keys are their names."""
    found: dict[str, None] = {}
    for part in named_parts(text):
        found |= _parts_of(shared[part], shared) | {part: None}
    return found


class Scripts:
    """Runs the files of `lua/`, each one atomic step on the server's clock."""

    def __init__(self, client: Redis, key_prefix: str, clock_offset_ms: Callable[[], int]) -> None:
        self._prefix = key_prefix
        self._clock_offset_ms = clock_offset_ms
        self._texts = script_texts()
        self._digests = {name: sha1(text.encode()).hexdigest() for name, text in self._texts.items()}
        self._pool = client.connection_pool
        # They are the pool's, so that all who run scripts share them, and they go when it goes.
        self._kept: deque[tuple[Any, float]] = vars(self._pool).setdefault(_KEPT, deque())
        """Connections that scripts ran on last, and until when they count as fresh."""

    def run(self, name: str, **arguments: Json) -> Any:
        """Run one script with named arguments.

        Raises:
            LedgerUnavailable: the server does not answer.
            LedgerFull: it has no memory for what the script adds.
            LedgerBroken: the script failed, which is a fault of this program.
        """
        # What is None is left out: Lua would have it as a value, which counts as true.
        given = {argument: value for argument, value in arguments.items() if value is not None}
        sent: list[str | int] = [self._clock_offset_ms(), json.dumps(given)]
        with ledger_errors(name.upper()):
            try:
                return self._ask("EVALSHA", self._digests[name], 1, self._prefix, *sent)
            except exceptions.NoScriptError:
                # In one step: a server that starts anew would forget what is loaded first and run after.
                return self._ask("EVAL", self._texts[name], 1, self._prefix, *sent)

    def _ask(self, *command: str | int) -> Any:
        """As the client's `execute_command`, in half the time where it has a fresh connection."""
        connection = self._connection()

        def asked() -> Any:
            connection.send_command(*command)
            return connection.read_response()

        try:
            return connection.retry.call_with_retry(asked, lambda _: connection.disconnect())
        except exceptions.ResponseError:
            raise
        except BaseException:
            connection.disconnect()  # its answer may still come; behind sentinels redis-py would go on with it
            raise
        finally:
            self._kept.append((connection, time.monotonic() + _FRESH_SECONDS))

    def _connection(self) -> Any:
        """One for a call.

        What has rested or is closed, belongs to another process, or leads to what is the master no more, the pool
        looks after.
        """
        try:
            connection, fresh_until_seconds = self._kept.pop()
        except IndexError:
            return self._pool.get_connection()
        is_fresh = connection.is_connected and time.monotonic() < fresh_until_seconds
        if is_fresh and connection.pid == os.getpid() and self._pool.owns_connection(connection):
            return connection
        self._pool.release(connection)
        return self._pool.get_connection()


class Database:
    """The ledger's keys in a server, and what changes them. `cutgate.jobs.ledger.keys` lists the keys."""

    def __init__(
        self, client: Redis, limits: LedgerLimits, key_prefix: str, clock_offset_ms: Callable[[], int]
    ) -> None:
        self.client, self.limits, self.key_prefix = client, limits, key_prefix
        self.retention_ms = milliseconds(limits.retention_seconds)
        self.source_ms = milliseconds(limits.source_seconds)
        self.upload_retention_ms = milliseconds(limits.upload_retention_seconds)
        self._scripts = Scripts(client, key_prefix, clock_offset_ms)

    def key(self, name: str) -> str:
        """The key of a record."""
        return f"{self.key_prefix}{name}"

    def run(self, script: str, **arguments: Json) -> Any:
        """Run a script."""
        return self._scripts.run(script, **arguments)

    def run_once(self, script: str, **arguments: Json) -> Any:
        """Run a script that remembers its answer for a repeat, because its arguments alone do not tell one."""
        memory_ms = milliseconds(CALL_MEMORY_SECONDS)
        return self.run(script, call=new_token(), memory_ms=memory_ms, **arguments)

    def strikes(self) -> dict[str, Json]:
        """When an account is held back."""
        return {
            "max_strikes": self.limits.max_strikes,
            "strike_ms": milliseconds(self.limits.strike_seconds),
            "charge_strikes": self.limits.charge_strikes,
        }

    def retentions(self) -> dict[str, Json]:
        """From which age on tasks and uploads are past their time."""
        return {"retention_ms": self.retention_ms, "upload_retention_ms": self.upload_retention_ms}

    def endings(self) -> dict[str, Json]:
        """When an item that was taken back is not tried again, and why it then fails."""
        attempts = self.limits.max_attempts
        lost = WorkerLost(f"the picture's worker died in each of {attempts} attempts", attempts=attempts)
        return {
            "max_attempts": attempts,
            "worker_lost": encode_error(lost.facts()),
            "too_slow": encode_error(_TOO_SLOW),
            "source_ms": self.source_ms,
            **self.strikes(),
        }

"""The connection to Redis, and the scripts that run on it."""

import json
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from importlib import resources
from typing import Any, Final, TypeAlias

import structlog
from redis import Redis, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from cutgate.jobs.errors import LedgerBroken, LedgerFull, LedgerUnavailable, LedgerUnwritable
from cutgate.jobs.sentinels import Sentinels, is_sentinel_url
from cutgate.jobs.settings import JobSettings

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_SECONDS: Final = 2.0
SOCKET_TIMEOUT_SECONDS: Final = 2.0
CALLER_TIMEOUT_SECONDS: Final = 0.6
"""Of both, for each attempt, where a caller waits for the answer."""
RETRIES: Final = 2
MAX_CONNECTIONS: Final = 1_024
"""Above a gateway's threads: one call holds one connection, and a call without one would be refused."""
_FIRST_WAIT_SECONDS: Final = 0.05
_LONGEST_WAIT_SECONDS: Final = 0.5
_WORTH_A_RETRY: Final = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError)
_REFUSALS: Final = (exceptions.NoPermissionError, exceptions.NoScriptError, exceptions.ReadOnlyError)
"""Kinds of which redis-py takes the code away."""
_UNWRITABLE: Final = "MISCONF"
"""What a server answers to writes that it could not keep."""
_FAULTS: Final = frozenset({"ERR", "WRONGTYPE"})
"""Codes of what a server cannot do because it was asked for nonsense."""
_FRESH_SECONDS: Final = 1.0
"""How long a connection may rest before it is looked at again: whatever lies between may have closed it."""
_KEPT: Final = "cutgate_kept_connections"
_NEEDS: Final = "-- needs: "
_REFUSED_WHEN_FULL: Final = frozenset({"create", "keep_upload", "kept"})
"""Scripts that a full server refuses, before they have written anything. All others go on: they end, renew, reap,
delete or read, and without them nothing would ever be freed."""
_SENTINEL: Final[Callable[..., Any]] = Sentinel
"""redis-py leaves it without types."""

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


def connect(
    url: str,
    *,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    socket_timeout_seconds: float = SOCKET_TIMEOUT_SECONDS,
    retries: int = RETRIES,
) -> Redis:
    """A client that gives up in time and sends a call again when its reply was lost.

    It connects at the first call, not here. The retry covers a server that is still loading its data. A server
    that hangs costs (1 + `retries`) timeouts; redis-py's health check is left off because its pings are retried
    within the retries and make three times as many.

    Behind sentinels it follows the master: once another copy is promoted, calls go there. What the old master had
    not passed on by then is lost.

    Args:
        url: `redis://`, `rediss://`, `unix://`, or `sentinel://` or `rediss+sentinel://` as `sentinels` says.
        connect_timeout_seconds: for one attempt to connect.
        socket_timeout_seconds: for one reply.
        retries: how often a call is sent again.

    Raises:
        ValueError: the URL is not one of these; the message does not repeat it, for it may hold a password.
    """
    backoff = ExponentialBackoff(cap=_LONGEST_WAIT_SECONDS, base=_FIRST_WAIT_SECONDS)
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_connect_timeout": connect_timeout_seconds,
        "socket_timeout": socket_timeout_seconds,
        "max_connections": MAX_CONNECTIONS,
        "redis_connect_func": _greet,
        "retry": Retry(backoff, retries, _WORTH_A_RETRY),
    }
    if is_sentinel_url(url):
        return _connect_to_master(Sentinels.parse(url), options)
    try:
        return Redis.from_url(url, **options)
    except ValueError:
        schemes = "redis://, rediss://, unix://, sentinel:// or rediss+sentinel://"
        raise ValueError(f"not a URL of a Redis server: {schemes}") from None


def connect_ledger(settings: JobSettings) -> Redis:
    """A client of the ledger's server that gives up soon enough for a caller to wait."""
    return connect(
        settings.redis_url.get_secret_value(),
        connect_timeout_seconds=CALLER_TIMEOUT_SECONDS,
        socket_timeout_seconds=CALLER_TIMEOUT_SECONDS,
    )


def _greet(connection: Any) -> None:
    """Begin with a new connection, and have the system, not Python, time what is sent and received on it.

    Python would ask the system before each call whether it would wait, and let go of the interpreter each time,
    which wakes another thread for nothing.
    """
    connection.on_connect()
    plain: socket.socket = connection._sock  # noqa: SLF001 — redis-py gives no other way to it
    if (seconds := plain.gettimeout()) and type(plain) is socket.socket:
        timeout = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        plain.settimeout(None)


def sentinel_options(
    address: Sentinels, *, connect_timeout_seconds: float, socket_timeout_seconds: float
) -> dict[str, Any]:
    """How redis-py asks a sentinel: once, for there are others, and whoever asks tries again by itself."""
    return {
        "password": address.sentinel_password,
        "socket_connect_timeout": connect_timeout_seconds,
        "socket_timeout": socket_timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        **address.tls_options(),
    }


def _connect_to_master(address: Sentinels, options: dict[str, Any]) -> Redis:
    sentinel = _SENTINEL(
        address.nodes,
        sentinel_kwargs=sentinel_options(
            address,
            connect_timeout_seconds=options["socket_connect_timeout"],
            socket_timeout_seconds=options["socket_timeout"],
        ),
        db=address.database,
        username=address.username,
        password=address.password,
        **address.tls_options(),
        **options,
    )
    master: Redis = sentinel.master_for(address.service)
    return master


@contextmanager
def ledger_errors(what: str = "a command") -> Iterator[None]:
    """Turn the client's errors into `LedgerUnavailable`, and those that are faults of ours into `LedgerBroken`.

    Messages name the kind of error, and of a fault what the server says; never redis-py's own texts, which can
    hold parts of the URL. Those are in the cause.
    """
    try:
        yield
    except exceptions.OutOfMemoryError as error:
        raise LedgerFull("the ledger's server is full") from error
    except exceptions.ResponseError as error:
        code, _, _ = str(error).partition(" ")
        if code == _UNWRITABLE:
            raise LedgerUnwritable("the ledger's server cannot write its file; its disk may be full") from error
        is_code = code.isupper() and code not in _FAULTS
        if is_code or isinstance(error, _REFUSALS):
            word = code if is_code else type(error).__name__
            raise LedgerUnavailable(f"the ledger's server refuses to work: {word}") from error
        raise LedgerBroken(f"{what} failed in the ledger's server: {error}") from error
    except (exceptions.RedisError, OSError) as error:
        raise LedgerUnavailable(f"the ledger's server does not answer: {type(error).__name__}") from error


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
        """Keep the parts that every call needs."""
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

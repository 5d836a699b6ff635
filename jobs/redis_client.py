"""Connections to Redis or Valkey, and what their failures mean."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

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
_SENTINEL: Final[Callable[..., Any]] = Sentinel
"""redis-py leaves it without types."""


def connect(
    url: str,
    *,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    socket_timeout_seconds: float = SOCKET_TIMEOUT_SECONDS,
    retries: int = RETRIES,
    raw: bool = False,
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
        raw: whether replies are bytes, in the protocol's second version.

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
    if raw:
        options |= {"decode_responses": False, "protocol": 2}
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

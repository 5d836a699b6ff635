"""HTTP exchanges over connections that go to checked addresses, and nowhere else.

The one place of this package that opens a connection is `_CheckedBackend.connect_tcp`: it resolves a name once,
checks every answer, and connects to what it checked. So no second look at the DNS, by whatever library, can lead
elsewhere, while the `Host` header and the name that TLS verifies stay those of the URL. A connection serves one
exchange, hence the next one is checked anew.

`httpx.Client` is left out on purpose: with requests sent as they are there are no cookies, no redirects, no
proxies from the environment, and no line in the log that holds a whole URL.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpcore
import httpx
from typing_extensions import override

from cutgate.courier.addresses import OutsideRules
from cutgate.courier.errors import HostRefused, PeerFailed

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to addresses as text. Raises `OSError` where there is none."""

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
"""Longest silence of a server outside."""
_PIECE_BYTES: Final = 8_192
_USER_AGENT: Final = "cutgate-courier"


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system, which also reads IPv4 in the old spellings: `127.1`, `0x7f000001`, `2130706433`."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is empty or too long
        raise OSError("not a name") from None
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Deadline:
    """The end of a whole exchange, whatever it consists of."""

    def __init__(self, seconds: float) -> None:
        self._at_seconds = time.monotonic() + seconds

    def within(self, seconds: float | None) -> float:
        """A step's own time limit, cut to what is left.

        Raises:
            PeerFailed: nothing is left.
        """
        left_seconds = self._at_seconds - time.monotonic()
        if left_seconds <= 0:
            raise PeerFailed("time", "the server was too slow: the time limit of the whole exchange passed")
        return left_seconds if seconds is None else min(seconds, left_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Sends requests to servers outside."""

    rules: OutsideRules
    tls: ssl.SSLContext
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    resolve: Resolve = system_resolve

    @contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        headers: Mapping[str, str],
        content: bytes | Iterator[bytes] | None = None,
    ) -> Iterator[httpx.Response]:
        """Send one request and hand out its answer while the block lasts; redirects are not followed.

        Args:
            method: such as `GET`.
            url: where to; it is checked first.
            deadline: of everything, the reading of the answer among it.
            headers: beside those that HTTP itself asks for.
            content: the body; in parts, its length is among the headers.

        Raises:
            ExchangeFailed: a subclass says why; also while the answer is read.
        """
        checked = self.rules.check_url(url)
        timeout = {"connect": self.connect_seconds, "read": self.read_seconds, "write": self.read_seconds}
        backend = _CheckedBackend(self.rules, self.resolve, deadline)
        with (
            _own_errors(),
            httpcore.ConnectionPool(
                ssl_context=self.tls, max_keepalive_connections=0, network_backend=backend
            ) as pool,
            pool.stream(
                method,
                httpcore.URL(
                    scheme=checked.raw_scheme, host=checked.raw_host, port=checked.port, target=checked.raw_path
                ),
                headers=[("Host", checked.netloc), *_HEADERS.items(), *headers.items()],
                content=content,
                extensions={"timeout": timeout},
            ) as answer,
        ):
            yield httpx.Response(answer.status, headers=answer.headers, content=answer.iter_stream())


_HEADERS: Final = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects where the rules allow it, before a deadline."""

    def __init__(self, rules: OutsideRules, resolve: Resolve, deadline: Deadline) -> None:
        self._rules, self._resolve, self._deadline = rules, resolve, deadline
        self._sockets = httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        answers = _in_time(self._resolve, host, port, self._deadline)
        # One that is refused refuses all: a name that points inside as well is not used by mistake.
        addresses = [str(self._rules.check_address(host, answer)) for answer in answers]
        last: Exception | None = None
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._deadline.within(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _TimedStream(stream, self._deadline)
        raise last or HostRefused(host)


def _in_time(resolve: Resolve, host: str, port: int, deadline: Deadline) -> Sequence[str]:
    """Resolve in a thread of its own: the system's resolver has time limits of its own, and takes none."""
    answers: list[Sequence[str] | OSError] = []

    def ask() -> None:
        try:
            answers.append(resolve(host, port))
        except OSError as error:
            answers.append(error)

    thread = threading.Thread(target=ask, name="resolver", daemon=True)
    thread.start()
    thread.join(deadline.within(None))
    if not answers:
        raise PeerFailed("time", f"the name {host} was not resolved in time")
    answer = answers[0]
    if isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN:
        raise PeerFailed("connection", f"the name {host} cannot be resolved now")
    if isinstance(answer, OSError):
        raise HostRefused(host)
    return answer


class _TimedStream(httpcore.NetworkStream):
    """A connection on which each step ends with the whole exchange's deadline.

    Without it a server that sends a byte now and then, of a header even, would be read for ever.
    """

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.within(timeout))

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # The time limit below counts for each send: in small pieces a slow reader cannot stretch it far.
        for start in range(0, len(buffer), _PIECE_BYTES):
            self._stream.write(buffer[start : start + _PIECE_BYTES], self._deadline.within(timeout))

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.within(timeout))
        except httpcore.ConnectError as error:
            raise PeerFailed("tls", "the server cannot prove its name, or does not speak TLS") from error
        return _TimedStream(stream, self._deadline)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextmanager
def _own_errors() -> Iterator[None]:
    """Turn the HTTP library's errors into ours; what a peer sent stays out of their texts."""
    try:
        yield
    except httpcore.TimeoutException:
        raise PeerFailed("time", "the server did not answer in time") from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise PeerFailed(
            "connection", "the server cannot be reached, breaks off, or does not speak HTTP"
        ) from error

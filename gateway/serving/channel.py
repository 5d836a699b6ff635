"""A caller's connection: bytes come within a time, and bytes leave without a thread that waits for the caller."""

import errno
import os
import select
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Final, Protocol, TypeVar

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request
from typing_extensions import override

from cutgate.gateway.settings import GatewaySettings

MEMORY_BYTES: Final = 2**16
"""Of an answer that waits for its caller so much lies in memory; the rest lies in a temporary file."""
_GATHERED_BYTES: Final = 2**14
"""Of an answer whose request has come whole so much waits for its end: head and body then leave in one call."""
_STEP_BYTES: Final = 2**20
"""What one connection is sent before another has its turn."""

_R = TypeVar("_R")


class PeerTooSlow(TimeoutError):
    """A caller sends, or takes, fewer bytes than it has to.

    gunicorn takes its number for a caller that hung up, and logs nothing of it.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the caller is too slow")


class Channel(socket.socket):
    """A connection's socket. It never blocks but in `recv`, and there no longer than the least rate allows.

    What is sent goes out as far as the caller takes it at once; the rest waits until `flush` is called. Used by
    one thread at a time.
    """

    def __init__(self, accepted: socket.socket, settings: GatewaySettings) -> None:
        """Take a socket over from the object that holds it."""
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().setblocking(False)
        self._settings = settings
        self._parts: deque[_Part] = deque()
        self._gathered = bytearray()
        self._waits = False
        self._gathers = False
        self._moved_bytes = 0
        self._waited_seconds = 0.0

    @override
    def setblocking(self, flag: bool, /) -> None:
        """Stay as it is: gunicorn asks for a socket that blocks before each request."""

    @override
    def settimeout(self, value: float | None, /) -> None:
        """Stay as it is: the least rate says how long `recv` waits."""

    def expect(self, *, waits: bool) -> None:
        """Begin with another request; `waits` says whether `recv` may wait for it at all."""
        self._waits, self._moved_bytes, self._waited_seconds = waits, 0, 0.0
        # Whoever is still to send may be told to by what is sent here.
        self._gathers = not waits

    def recv_now(self, size_bytes: int) -> bytes | None:
        """What the caller has sent: nothing at the end, None where nothing is there yet."""
        try:
            return super().recv(size_bytes)
        except BlockingIOError:
            return None

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive, waiting for the caller.

        Raises:
            PeerTooSlow: it sends nothing, or too little.
        """
        data = self._wait_for(partial(super().recv, bufsize, flags))
        self._moved_bytes += len(data)
        return data

    @override
    def recv_into(self, buffer: memoryview, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
        """The same into memory that is there."""
        came_bytes = self._wait_for(partial(super().recv_into, buffer, nbytes, flags))
        self._moved_bytes += came_bytes
        return came_bytes

    @override
    def send(self, data: "bytes | memoryview", flags: int = 0, /) -> int:  # type: ignore[override]
        """Send everything, like `sendall`: gunicorn does not look at how much went out."""
        self.sendall(data)
        return len(data)

    @override
    def sendall(self, data: "bytes | memoryview", flags: int = 0, /) -> None:  # type: ignore[override]
        """Send as much as the caller takes at once, and keep the rest for `flush`; what is small waits for it."""
        if self._gathers and not self._parts and len(self._gathered) + len(data) <= _GATHERED_BYTES:
            self._gathered += data
            return
        self._send_gathered()
        self._send_or_keep(memoryview(data))

    @override
    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:  # type: ignore[override]
        """The same for a part of a file; the caller of this method may close it."""
        self._send_gathered()
        size_bytes = os.fstat(file.fileno()).st_size - offset if count is None else count
        self._parts.append(_FilePart(os.fdopen(os.dup(file.fileno()), "rb", buffering=0), offset, size_bytes))
        self.flush()
        return size_bytes

    def flush(self) -> int:
        """Send on; gives how many bytes the caller took."""
        taken_bytes = self._send_gathered()
        while self._parts and taken_bytes < _STEP_BYTES:
            try:
                taken_bytes += self._parts[0].send_to(self)
            except BlockingIOError:
                break
            if not self._parts[0].left_bytes:
                self._parts.popleft().close()
        return taken_bytes

    @property
    def is_flushed(self) -> bool:
        """Whether everything was taken."""
        return not self._parts

    @override
    def close(self) -> None:
        """Close it; what was not taken is lost."""
        while self._parts:
            self._parts.popleft().close()
        super().close()

    def send_part(self, data: memoryview) -> int:
        """Send what fits; raises `BlockingIOError` if nothing does."""
        return super().send(data)

    def _send_gathered(self) -> int:
        if not self._gathered:
            return 0
        gathered, self._gathered = self._gathered, bytearray()
        return self._send_or_keep(memoryview(gathered))

    def _send_or_keep(self, view: memoryview) -> int:
        sent_bytes = 0 if self._parts else self._send_now(view)
        if sent_bytes < len(view):
            self._keep(view[sent_bytes:])
        return sent_bytes

    def _send_now(self, view: memoryview) -> int:
        try:
            return self.send_part(view)
        except BlockingIOError:
            return 0

    def _keep(self, view: memoryview) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, _Spool):
            last.add(view)
        elif last is None and len(view) <= MEMORY_BYTES:
            self._parts.append(_MemoryPart(memoryview(bytes(view))))  # the whole answer is let go of
        else:
            self._parts.append(spool := _Spool(tempfile.TemporaryFile(buffering=0)))  # noqa: SIM115 — closed with it
            spool.add(view)

    def _wait_for(self, receive: Callable[[], _R]) -> _R:
        while True:
            try:
                return receive()
            except BlockingIOError:
                self._wait_until_readable()

    def _wait_until_readable(self) -> None:
        left_seconds = self._settings.allowed_seconds(self._moved_bytes) - self._waited_seconds
        if not self._waits or left_seconds <= 0:
            raise PeerTooSlow
        readable = select.poll()
        readable.register(self, select.POLLIN)
        began = time.monotonic()
        is_readable = readable.poll(left_seconds * 1_000)
        self._waited_seconds += time.monotonic() - began
        if not is_readable:
            raise PeerTooSlow


class WatchedBody(Body):  # type: ignore[misc]  # gunicorn publishes no types
    """A body that says when it has come; unless it has, its connection cannot be used again."""

    def __init__(self, request: Request, *, came: Callable[[], None], too_slow: Callable[[], None]) -> None:
        super().__init__(request.body.reader)
        self._request = request
        self._came, self._too_slow = came, too_slow
        self._closes = request.must_close
        self._is_open = request.must_close = True

    def readinto(self, place: memoryview) -> int:
        """Receive into memory that is there: through `read` gunicorn copies each byte several times."""
        if not isinstance(self.reader, LengthReader):
            data = self.read(len(place))
            place[: len(data)] = data
            return len(data)
        with self._watched():
            size_bytes = self._receive_into(place[: self.reader.length])
        self.reader.length -= size_bytes
        if not self.reader.length:
            self._end()
        return size_bytes

    @override
    def _read_reader(self, size: int) -> bytes:
        with self._watched():
            data: bytes = super()._read_reader(size)
        if not data:
            self._end()
        return data

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failed = True  # for gunicorn: nobody knows where the next request begins
            if isinstance(error, PeerTooSlow):
                self._too_slow()
            raise

    def _receive_into(self, place: memoryview) -> int:
        unreader = self.reader.unreader
        if not place:
            return 0
        if came := unreader.take_buffered():
            size_bytes = min(len(came), len(place))
            place[:size_bytes] = came[:size_bytes]
            unreader.unread(came[size_bytes:])
            return size_bytes
        received_bytes: int = unreader.sock.recv_into(place)
        return received_bytes

    def _end(self) -> None:
        if self._is_open:
            self._is_open, self._request.must_close = False, self._closes
            self._came()


class _Part(Protocol):
    """Some of an answer that its caller has not taken."""

    left_bytes: int

    def send_to(self, channel: Channel) -> int:
        """Send some of it."""

    def close(self) -> None:
        """Let go of it."""


class _MemoryPart:
    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.left_bytes = len(view)

    def send_to(self, channel: Channel) -> int:
        sent_bytes = channel.send_part(self._view)
        self._view = self._view[sent_bytes:]
        self.left_bytes = len(self._view)
        return sent_bytes

    def close(self) -> None:
        self._view.release()


@dataclass(slots=True)
class _FilePart:
    file: IO[bytes]
    offset: int
    left_bytes: int

    def send_to(self, channel: Channel) -> int:
        sent_bytes = os.sendfile(
            channel.fileno(), self.file.fileno(), self.offset, min(self.left_bytes, _STEP_BYTES)
        )
        if not sent_bytes:
            raise ConnectionResetError(errno.ECONNRESET, "the file is shorter than its answer says")
        self.offset += sent_bytes
        self.left_bytes -= sent_bytes
        return sent_bytes

    def close(self) -> None:
        self.file.close()


class _Spool(_FilePart):
    """A temporary file to which more may come."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, 0, 0)

    def add(self, view: memoryview) -> None:
        size_bytes = len(view)
        while view:
            view = view[self.file.write(view) :]
        self.left_bytes += size_bytes

"""The connection of an HTTP caller that waits for its answer, in the sockets' thread."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Self

from typing_extensions import override

from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.sockets.connection import CLOSING_SECONDS


class HeldConnection(asyncio.Protocol):
    """Says when the caller hangs up, and sends it the answer as fast as the least rate wants."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Prepare; it begins with the connection's transport."""
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._sent = asyncio.Event()
        self._sent.set()
        self._is_over = False
        #: Set once the caller has hung up; it may read all the same, if it has only shut its own side down.
        self.hung_up = asyncio.Event()
        #: Whether nothing can reach the caller any more.
        self.is_lost = False
        #: The transport, from the connection's begin on.
        self.transport: asyncio.Transport

    @classmethod
    async def on(cls, taken: socket.socket, settings: GatewaySettings) -> Self:
        """The connection that a socket is.

        Raises:
            OSError: it is gone; the socket is closed.
        """
        taken.setblocking(False)
        try:
            _, connection = await asyncio.get_running_loop().connect_accepted_socket(lambda: cls(settings), taken)
        except OSError:
            taken.close()
            raise
        return connection

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        # So that `_sent` says that all of it has left.
        transport.set_write_buffer_limits(high=0)

    @override
    def data_received(self, data: bytes) -> None:
        # It is of another request, for which this connection is not used: no more is read before the answer.
        if not self._is_over:
            self.transport.pause_reading()

    @override
    def eof_received(self) -> bool:
        self.hung_up.set()
        return True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.hung_up.set()
        self._sent.set()

    @override
    def pause_writing(self) -> None:
        self._sent.clear()

    @override
    def resume_writing(self) -> None:
        self._sent.set()

    async def send(self, parts: AsyncIterator[bytes]) -> bool:
        """Send an answer and hang up; whether the caller has taken it in the time that the limits give."""
        began_at, given_bytes = self._loop.time(), 0
        async for part in parts:
            self.transport.write(part)
            given_bytes += len(part)
            if not await self._is_taken(began_at, given_bytes):
                self.transport.abort()
                return False
        await self._close()
        return True

    async def _is_taken(self, began_at: float, given_bytes: int) -> bool:
        """Whether the caller takes what was given to the connection so far."""
        while not self._sent.is_set():
            moved_bytes = given_bytes - self.transport.get_write_buffer_size()
            due_at = began_at + self._settings.allowed_seconds(moved_bytes)
            if self._loop.time() >= due_at:
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_at):
                    await self._sent.wait()
        return not self.is_lost

    async def _close(self) -> None:
        """Hang up, and throw away what comes: closed over unread bytes, a connection loses its answer."""
        self._is_over = True
        with suppress(OSError):  # it may be gone, or takes too long to go
            self.transport.write_eof()
            self.transport.resume_reading()
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.hung_up.wait()
        self.transport.close()

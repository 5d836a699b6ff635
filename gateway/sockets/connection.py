"""One WebSocket: frames in and out over a non-blocking socket, by `websockets`' parser without I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from typing_extensions import override
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

CLOSING_SECONDS: Final = 5.0
"""How long a peer may take to answer a close frame and to hang up."""
FIRST_MESSAGE_BYTES: Final = 2**20
"""Longest message from a peer that has not shown who it is: it must not fill this process's memory."""
_CONTROL_BYTES: Final = 256
"""What arrives at once and is longer than a control frame can be is part of a message."""


class MessageHandler(Protocol):
    """Takes the messages of a connection. Everything is called in the sockets' thread and must not block."""

    @property
    def busy(self) -> bool:
        """Whether the peer waits for something."""

    @property
    def admitted(self) -> bool:
        """Whether the peer has shown who it is."""

    def message_received(self, message: bytes) -> None:
        """Take a whole message."""

    def delivered(self, receipt: int) -> None:
        """Learn that the peer has read everything up to and with the message that has this receipt."""

    def stop(self) -> None:
        """Take on nothing new: the server is about to stop."""

    def connection_lost(self, code: int) -> None:
        """Learn that the connection is over, with the close code that the peer sent, or 1006."""


class Connection(asyncio.Protocol):
    """Reads and writes messages."""

    def __init__(
        self,
        head: bytes,
        begin: Callable[[Connection], MessageHandler],
        over: Callable[[Connection], None],
        *,
        max_message_bytes: int,
    ) -> None:
        """Prepare; it begins with the connection's transport.

        Args:
            head: the answer to the handshake, which is sent first.
            begin: makes the handler of its messages.
            over: called once at the end.
            max_message_bytes: a longer message ends the connection with code 1009.
        """
        self._head = head
        self._begin = begin
        self._over = over
        self._max_message_bytes = max_message_bytes
        self._frames = ServerProtocol(state=State.OPEN, max_size=min(FIRST_MESSAGE_BYTES, max_message_bytes))
        self._parts: list[bytes] = []
        self._receipts = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._loop = asyncio.get_running_loop()
        self.began_at = self.heard_at = self.active_at = self.pinged_at = self._loop.time()
        #: The transport, from the connection's begin on.
        self.transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._head)
        self.handler = self._begin(self)

    @override
    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        if len(data) > _CONTROL_BYTES:
            self.active_at = self.heard_at
        self._frames.receive_data(data)
        self._pump()

    @override
    def eof_received(self) -> None:
        self._frames.receive_eof()
        self._pump()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        closed = self._frames.close_rcvd
        self.handler.connection_lost(CloseCode.ABNORMAL_CLOSURE if closed is None else closed.code)
        self._over(self)

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def open(self) -> bool:
        """Whether messages can still be sent."""
        return self._frames.state is State.OPEN and not self.transport.is_closing()

    def admit(self) -> None:
        """Take messages of full length from now on."""
        self._frames.max_message_size = self._max_message_bytes

    async def writable(self) -> bool:
        """Wait until the peer has read what it was sent; False when it is gone."""
        await self._writable.wait()
        return self.open

    def send(self, message: bytes) -> int:
        """Send a message in UTF-8.

        Returns:
            Its receipt: `MessageHandler.delivered` is called with it or a later one, unless the connection is lost
            before.
        """
        if not self.open:
            return self._receipts
        self._receipts += 1
        self._frames.send_text(message)
        # A peer answers pings in their order among messages, so the pong says what has arrived.
        self._frames.send_ping(self._receipts.to_bytes(8))
        self._flush()
        return self._receipts

    def ping(self) -> None:
        """See whether the peer is there."""
        self.pinged_at = self._loop.time()
        if self.open:
            self._frames.send_ping(b"")
            self._flush()

    def hold(self, *, held: bool) -> None:
        """Read no further, or go on."""
        if self.transport.is_closing():
            return
        if held:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def close(self, code: int, reason: str = "") -> None:
        """End the connection in order."""
        if self.open:
            self._frames.send_close(code, reason)
            self._flush()

    def _pump(self) -> None:
        for event in self._frames.events_received():
            assert isinstance(event, Frame)
            self._take(event)
        self._flush()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            if len(frame.data) == 8:
                self.handler.delivered(int.from_bytes(frame.data))
            return
        self.active_at = self.heard_at
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
                self._parts.clear()
                self.handler.message_received(message)

    def _flush(self) -> None:
        for data in self._frames.data_to_send():
            if data:
                self.transport.write(data)
            elif self.transport.can_write_eof() and not self.transport.is_closing():
                # Closed over unread bytes, the connection would be reset and the close frame lost.
                self.transport.write_eof()
        if self._frames.close_expected():
            self._loop.call_later(CLOSING_SECONDS, self.transport.abort)

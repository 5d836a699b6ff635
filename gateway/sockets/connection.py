"""One WebSocket: frames in and out over a non-blocking socket, by `websockets`' parser without I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, cast

from typing_extensions import override
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from cutgate.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from cutgate.gateway.sockets.hub import Sockets

CLOSING_SECONDS: Final = 5.0
"""How long a peer may take to answer a close frame and to hang up."""
FIRST_MESSAGE_BYTES: Final = 2**20
"""Longest message from a peer that has not shown who it is: it must not fill this process's memory."""
LARGE_BYTES: Final = 2**20
"""Of longer messages few are received at once, over all connections."""
_UNSENT_BYTES: Final = 2**20
"""What may wait for a peer that does not read, beside one message that was begun when it did; above it the
connection is broken off."""
_CONTROL_BYTES: Final = 256
"""What arrives at once and is longer than a control frame can be is part of a message."""


def refusal(reason: str) -> bytes:
    """What closes a connection that there is no place for, after the answer to its handshake."""
    frames = ServerProtocol(state=State.OPEN)
    frames.send_close(CloseCode.TRY_AGAIN_LATER, reason)
    return b"".join(frames.data_to_send())


class MessageHandler(Protocol):
    """Takes the messages of a connection. Everything is called on the event loop and must not block."""

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


class Hold(Enum):
    """Why nothing is read from a peer."""

    HANDLER = auto()
    """The handler has enough to do with what came."""
    UNREAD = auto()
    """The peer does not read what it is sent."""
    ROOM = auto()
    """Its message is large, and others are being received."""


class Connection(asyncio.Protocol):
    """Reads and writes messages, and reads no more while its peer does not read either."""

    def __init__(
        self,
        head: bytes,
        begin: Callable[[Connection], MessageHandler],
        sockets: Sockets,
        settings: GatewaySettings,
    ) -> None:
        """Prepare; it begins with the connection's transport. `head` and `begin` are those of `Sockets.take`."""
        self._head = head
        self._begin = begin
        self._sockets = sockets
        self._settings = settings
        first_bytes = min(FIRST_MESSAGE_BYTES, settings.max_runware_body_bytes)
        self._frames = ServerProtocol(state=State.OPEN, max_size=first_bytes)
        self._holds: set[Hold] = set()
        self._unsent_bytes = 0
        self._left_bytes = 0
        self._parts: list[bytes] = []
        self._receipts = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self._loop = asyncio.get_running_loop()
        #: Who has shown who it is.
        self.owner: str | None = None
        #: Since when it has a place for a large message that is still coming.
        self.large_since: float | None = None
        self.began_at = self.heard_at = self.active_at = self.pinged_at = self._loop.time()
        #: The transport, from the connection's begin on.
        self.transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._head)
        self.handler = self._begin(self)

    @override
    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        if len(data) > _CONTROL_BYTES:
            self.active_at = self.heard_at
        self._frames.receive_data(data)
        self._pump()
        if self.large_since is None and self.received_bytes > LARGE_BYTES:
            self._sockets.ask_for_large(self)

    @override
    def eof_received(self) -> None:
        self._frames.receive_eof()
        self._pump()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        closed = self._frames.close_rcvd
        self.handler.connection_lost(CloseCode.ABNORMAL_CLOSURE if closed is None else closed.code)
        self._sockets.over(self)

    @override
    def pause_writing(self) -> None:
        self._writable.clear()
        self._unsent_bytes = 0
        self.hold(Hold.UNREAD, held=True)

    @override
    def resume_writing(self) -> None:
        self._writable.set()
        self.hold(Hold.UNREAD, held=False)

    @property
    def open(self) -> bool:
        """Whether messages can still be sent."""
        return self._frames.state is State.OPEN and not self.transport.is_closing()

    @property
    def reads(self) -> bool:
        """Whether the peer takes what it is sent."""
        return self._writable.is_set()

    @property
    def received_bytes(self) -> int:
        """What has come of a message that is not whole."""
        return len(self._frames.reader.buffer) + sum(map(len, self._parts))

    def admit(self, owner: str) -> None:
        """Take messages of full length from now on; `owner` is who has a share of the room for large ones."""
        self.owner = owner
        self._frames.max_message_size = self._settings.max_runware_body_bytes
        self._sockets.admitted(self)

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

    def hold(self, why: Hold, *, held: bool) -> None:
        """Read no further, or go on once nothing else is in the way."""
        (self._holds.add if held else self._holds.discard)(why)
        if why is Hold.HANDLER and not held and self.received_bytes <= LARGE_BYTES:
            self._sockets.leave_large(self)
        if self.transport.is_closing():
            return
        if self._holds:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def has_life(self) -> bool:
        """Whether the peer has shown since it was last asked, by anything but bytes, that it is there.

        What it takes of a long message says as much as pongs, which come only after it. And from a connection that
        is held for another reason nothing can be heard.
        """
        left_bytes, self._left_bytes = self._left_bytes, self.transport.get_write_buffer_size()
        return self._left_bytes < left_bytes or bool(self._holds - {Hold.UNREAD})

    def is_late(self, now: float) -> bool:
        """Whether a large message comes too slowly for the place that it has."""
        if self.large_since is None or self._holds:
            return False
        return now - self.large_since > self._settings.allowed_seconds(self.received_bytes)

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
                self._write(data)
            elif self.transport.can_write_eof() and not self.transport.is_closing():
                # Closed over unread bytes, the connection would be reset and the close frame lost.
                self.transport.write_eof()
        if self._frames.close_expected():
            self._loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def _write(self, data: bytes) -> None:
        if not self.reads:
            self._unsent_bytes += len(data)
            if self._unsent_bytes > _UNSENT_BYTES:
                self.transport.abort()
                return
        self.transport.write(data)

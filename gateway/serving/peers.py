"""Connections: who may have one, how long a peer may take, and who gives way when there are too many.

uvicorn's protocol reads HTTP; what is here knows what each connection is about, and looks them all over twice a
second. No connection costs a thread.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from cutgate.gateway.addresses import subscriber
from cutgate.gateway.serving.cut_off import CutOff, CutOffLog, answer_outside
from cutgate.gateway.serving.proxies import is_within
from cutgate.gateway.settings import LEAST_BYTES_PER_SECOND, GatewaySettings, Network, per_address

PEER: Final = "cutgate.peer"
"""Name of a request's connection in its ASGI scope."""
LOOK_SECONDS: Final = 0.5
_KEPT_PLACES: Final = 16
"""Connections that are kept for addresses that have none, unless that is more than an eighth of all."""
_CLOSING_SECONDS: Final = 2.0
"""How long a peer that is told of the end may take to hang up, beside what it still sends."""
_URL_BYTES: Final = 4_094
_FIELD_BYTES: Final = 8_190
_FIELDS: Final = 100
_HEAD_BYTES: Final = 2**16
"""The longest head."""
_PIPELINED: Final = 64
"""Requests of a connection that may wait for the answer to an earlier one."""
_ENDED_AT_ONCE: Final = 100
"""Peers that are ended in one look: views say so to those whose bodies are late, while others wait for threads."""


class Phase(IntEnum):
    """What a connection is about; the lower, the sooner it is closed to make room."""

    CLOSING = 0
    """The answer is sent, and what still comes is thrown away."""
    IDLE = 1
    HEAD = 2
    BODY = 3
    ANSWER = 4
    """The peer reads."""
    WORK = 5
    """A thread works on its request, or its caller waits for a result."""


class Peers:
    """All connections of a process. Used by the loop's thread."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self._per_address = per_address(settings.connections)
        self._kept = min(_KEPT_PLACES, settings.connections // 8)
        self._by_address: defaultdict[str | None, set[PeerProtocol]] = defaultdict(set)
        self._count = 0
        self.cut_off = CutOffLog()

    def __len__(self) -> int:
        """How many connections there are."""
        return self._count

    def seat(self, peer: "PeerProtocol") -> bool:
        """Give a connection a place, if its address may have another, and somebody gives way where needed."""
        own = self._by_address[peer.address]
        if (
            peer.address is not None
            and len(own) >= self._per_address
            and not self._close_one(own, upto=Phase.HEAD)
        ):
            return False
        free = self.settings.connections - self._count - (self._kept if own else 0)
        if free <= 0 and not self._make_room(own):
            return False
        own.add(peer)
        self._count += 1
        return True

    def leave(self, peer: "PeerProtocol") -> None:
        """Take the place of a connection back, if it has one."""
        own = self._by_address.get(peer.address)
        if own is not None and peer in own:
            own.remove(peer)
            self._count -= 1
        if not own:
            self._by_address.pop(peer.address, None)

    async def watch(self) -> None:
        """End what is late, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            ended = 0
            for peer in [peer for own in self._by_address.values() for peer in own]:
                ended += peer.look(now)
                if ended == _ENDED_AT_ONCE:
                    break

    def _make_room(self, own: "set[PeerProtocol]") -> bool:
        """Close a connection of the address that holds most: whatever it is about, unless work is done for it."""
        for others in sorted(self._by_address.values(), key=len, reverse=True):
            if len(others) < len(own):
                return False
            if self._close_one(others, upto=Phase.HEAD if others is own else Phase.ANSWER):
                return True
        return False

    def _close_one(self, peers: "Iterable[PeerProtocol]", *, upto: Phase) -> bool:
        first = min(
            (peer for peer in peers if peer.phase <= upto),
            key=lambda peer: (peer.phase, peer.since_seconds),
            default=None,
        )
        if first is None:
            return False
        self.cut_off.tell(CutOff.CONNECTIONS, first.address)
        first.drop()
        return True


def counted_as(client: str | None, proxies: tuple[Network, ...]) -> str | None:
    """What a peer's address is counted as; None for a trusted proxy, behind which everybody is."""
    return None if is_within(client or "", proxies) else subscriber(client)


class PeerProtocol(HttpToolsProtocol):
    """One connection. uvicorn's own attributes that it uses are `cycle`, `pipeline`, `flow` and `transport`."""

    def __init__(self, peers: Peers, **options: Any) -> None:
        """Prepare; `options` are uvicorn's."""
        super().__init__(**options)
        self._peers = peers
        self._settings = peers.settings
        self.address: str | None = None
        #: Set once the peer has hung up; it may read all the same, if it has only shut its own side down.
        self.hung_up = asyncio.Event()
        #: Whether the peer let the time for its body pass.
        self.is_too_slow = False
        self.phase = Phase.IDLE
        self.since_seconds = time.monotonic()
        #: Of the present phase: what the peer has sent of a body, or was given of an answer.
        self.moved_bytes = 0
        self._is_in_head = False
        #: What came of the present head, or around a body, that is no part of the body.
        self._head_bytes = 0
        #: What came of the present body, and of bodies in what is being parsed.
        self._body_bytes = self._parsed_body_bytes = 0
        self._fault = HTTPStatus.BAD_REQUEST
        self._drops = False
        #: The request that is answered; `cycle` is the last one that has come.
        self._running: RequestResponseCycle | None = None

    @property
    def is_lost(self) -> bool:
        """Whether nothing can reach the peer any more."""
        return self.transport.is_closing()

    def begin(self, phase: Phase) -> None:
        """Begin with something else, unless this is the end."""
        if self.phase is Phase.CLOSING:
            return
        self.phase, self.since_seconds, self.moved_bytes = phase, time.monotonic(), 0

    # What the transport calls.

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = counted_as(self.client and self.client[0], self._settings.trusted_proxies)
        if not self._peers.seat(self):
            self._peers.cut_off.tell(CutOff.CONNECTIONS, self.address)
            self._drops = True
            transport.write(answer_outside(HTTPStatus.SERVICE_UNAVAILABLE))
            transport.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._say_no_more()
        self.hung_up.set()
        self._peers.leave(self)

    @override
    def data_received(self, data: bytes) -> None:
        if self._drops:
            self.moved_bytes += len(data)
            return
        if self.phase is Phase.IDLE:
            self.begin(Phase.HEAD)
        self._parsed_body_bytes = 0
        super().data_received(data)
        self._measure_head(len(data) - self._parsed_body_bytes)

    def _measure_head(self, more_bytes: int) -> None:
        """Refuse what is too much of a head, or around a body: there are the sizes of its chunks."""
        if self._drops:  # it was refused
            return
        self._head_bytes += more_bytes
        allowed_bytes = _HEAD_BYTES + 8 * self._body_bytes
        if self._head_bytes > allowed_bytes and (self._is_in_head or self.phase is Phase.BODY):
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    @override
    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a connection whose peer still waits for an answer: it has perhaps only said all that it had to."""
        self.hung_up.set()
        is_waiting = self.phase in {Phase.WORK, Phase.ANSWER}
        if is_waiting:
            self.cycle.keep_alive = False
        return is_waiting

    # What the parser calls.

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[PEER] = self  # type: ignore[typeddict-unknown-key]
        self._is_in_head, self._head_bytes, self._body_bytes = True, 0, 0

    @override
    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._require(len(self.url) <= _URL_BYTES, HTTPStatus.REQUEST_URI_TOO_LONG)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # else it is behind a body
            is_right = len(name) + len(value) <= _FIELD_BYTES and len(self.headers) < _FIELDS
            self._require(is_right, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._is_in_head, self._head_bytes = False, 0
        if len(self.pipeline) >= _PIPELINED:
            # Those before are answered, the last of them with the connection's end.
            self.cycle.keep_alive, self._drops = False, True
            return
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle
        if self.phase is Phase.HEAD:
            self.begin(Phase.BODY)

    @override
    def on_body(self, body: bytes) -> None:
        self._parsed_body_bytes += len(body)
        if not self._drops:
            self._body_bytes += len(body)
            self.moved_bytes += len(body)
            super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        if not self._drops:
            super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        has_next = bool(self.pipeline)
        if has_next:
            self._running, _ = self.pipeline[-1]
        super().on_response_complete()
        if self.phase is not Phase.CLOSING and not has_next:
            given_bytes, since_seconds = self.moved_bytes, self.since_seconds
            self.begin(Phase.HEAD if self._is_in_head else Phase.IDLE)
            if self.transport.get_write_buffer_size():  # the peer has not read the end of it
                self.phase, self.moved_bytes, self.since_seconds = Phase.ANSWER, given_bytes, since_seconds

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or more of it than is read."""
        self._refuse(self._fault)

    # What ends a connection.

    def look(self, now: float) -> bool:
        """Whether the time of what it is about is over; it is then ended, and told why where that can be said."""
        match self.phase:
            case Phase.CLOSING if self._is_closing_over(now):
                self.drop()
            case Phase.IDLE if self._running is None and self._is_over(now, 0):  # between requests uvicorn ends it
                self.drop()
            case Phase.HEAD if self._is_over(now, 0):
                self._peers.cut_off.tell(CutOff.HEAD, self.address)
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            case Phase.BODY if self._is_body_over(now):
                self._peers.cut_off.tell(CutOff.BODY, self.address)
                self.is_too_slow = True
                self.cycle.message_event.set()
            case Phase.ANSWER if self._is_answer_over(now):
                self._peers.cut_off.tell(CutOff.ANSWER, self.address)
                self.drop()
            case _:
                return False
        return True

    def _is_closing_over(self, now: float) -> bool:
        more_seconds = min(self.moved_bytes / LEAST_BYTES_PER_SECOND, self._settings.transfer_seconds)
        return now >= self.since_seconds + _CLOSING_SECONDS + more_seconds

    def _is_body_over(self, now: float) -> bool:
        return not (self.is_too_slow or self.flow.read_paused) and self._is_over(now, self.moved_bytes)

    def _is_answer_over(self, now: float) -> bool:
        left_bytes = self.transport.get_write_buffer_size()
        if not left_bytes and self._running is not None and self._running.response_complete:
            self.begin(Phase.IDLE)
        return left_bytes > 0 and self._is_over(now, max(0, self.moved_bytes - left_bytes))

    def _is_over(self, now: float, moved_bytes: int) -> bool:
        return now >= self.since_seconds + self._settings.allowed_seconds(moved_bytes)

    def close_gently(self) -> None:
        """Hang up, and throw away what comes: closed over unread bytes, a connection loses its answer."""
        self._say_no_more()
        with suppress(OSError, RuntimeError):  # it may be gone
            self.flow.resume_reading()
            self.transport.write_eof()
        self.begin(Phase.CLOSING)

    def drop(self) -> None:
        """Break the connection off."""
        self.phase = Phase.CLOSING
        self._say_no_more()
        self._peers.leave(self)
        self.transport.abort()

    def drop_for_room(self) -> None:
        """Break it off, as the bytes that it has sent are too many beside those of others."""
        self._peers.cut_off.tell(CutOff.TURN, self.address)
        self.drop()

    def fail(self) -> None:
        """Answer what the application could not."""
        if self._running is None or self._running.response_started:
            self.drop()
        else:
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR)

    def hand_over(self) -> asyncio.Transport | None:
        """Give the connection to another protocol; None if it is gone."""
        if self.is_lost:
            return None
        self.connections.discard(self)
        self._peers.leave(self)
        self._say_no_more()
        self.flow.resume_reading()
        return self.transport

    def _say_no_more(self) -> None:
        """Neither take nor send anything: uvicorn itself hears of the end only on the loop's next turn."""
        self._drops = True
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _require(self, is_right: bool, fault: HTTPStatus) -> None:
        """Have the parser stop unless something is right."""
        if not is_right:
            self._fault = fault
            raise ValueError(fault.phrase)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what no view sees, unless an earlier request is still to be answered."""
        if self.phase in {Phase.WORK, Phase.ANSWER}:
            self.cycle.keep_alive, self._drops = False, True
            return
        self._say(status)

    def _say(self, status: HTTPStatus) -> None:
        if not self.is_lost:
            self.transport.write(answer_outside(status))
            self.close_gently()

"""gunicorn's worker with request threads, in which the poller, not a thread, waits for callers.

gunicorn gives a thread to each connection on which a byte has come, and the thread then waits for the rest, and
later for the caller to take the answer; sixteen callers that do nothing stop the process. Here the poller
receives heads and small bodies, and a thread is given a request that is there; the poller sends what of the answer
the caller does not take at once. A thread goes on with a connection's next request if that is there, too, and no
other connection's waits for a thread. Only the body of a large request, which is judged while it arrives, is still
received by a thread: by so many beside the others, and at a least rate.

Servers that receive whole requests in their event loop (waitress) or own the connection (granian, uvicorn) would
do the waiting as well. But they read all of a body before the application can refuse it, and none gives a
connection away to the WebSockets' loop.
"""

import errno
import math
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntEnum
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker
from typing_extensions import override

from cutgate.gateway.addresses import Places, subscriber
from cutgate.gateway.affinity import ThreadAffinity
from cutgate.gateway.serving.admission import CutOff, Told, counted_as
from cutgate.gateway.serving.channel import Channel, WatchedBody
from cutgate.gateway.serving.heads import Head, find_head
from cutgate.gateway.serving.outside import answer_outside, refuse_at_once
from cutgate.gateway.settings import LEAST_BYTES_PER_SECOND, GatewaySettings, per_address

_LOOK_SECONDS: Final = 0.5
"""How often connections are looked over for those whose time is over, and the master is told that all is well."""
_CLOSING_SECONDS: Final = 2.0
"""How long a caller that is told of the end may take to hang up, beside what it still sends."""
_RECEIVE_BYTES: Final = 2**16
_MAX_HEAD_BYTES: Final = 2**16
"""Longest head; a body that is no longer is received without a thread."""
_TURN_SECONDS: Final = 300.0
"""How long a large body waits for a thread that receives it: as long as another may take to come."""
_NOBODY: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED})
_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


class State(IntEnum):
    """What a connection is about; the lower, the sooner it is closed to make room."""

    CLOSING = 0
    """The answer is sent, and what still comes is thrown away."""
    IDLE = 1
    HEAD = 2
    """A head is coming, or a small body."""
    TURN = 3
    """A large body waits for a thread that may receive it."""
    ANSWER = 4
    """The caller reads."""
    REQUEST = 5
    """A thread works on it."""


class PolledConnection(TConn):  # type: ignore[misc]  # gunicorn publishes no types
    """A connection and what the poller knows of it."""

    sock: Channel

    def __init__(self, cfg: Config, channel: Channel, client: object, server: object, address: str | None) -> None:
        super().__init__(cfg, channel, client, server)
        #: What it is counted as; None for a proxy.
        self.address = address
        self.state = State.IDLE
        #: What has come of a request that no thread works on yet, and its head once that is whole.
        self.received = bytearray()
        self.head: Head | None = None
        #: Whether a thread has a place to receive the body, and what that place is counted as.
        self.receives = False
        self.receiver: str | None = None
        #: Whether another request may follow.
        self.is_kept = False
        #: What the poller watches for.
        self.events = 0
        #: Since when it is answered or closed, how much has moved since, and when its time is over.
        self.since_seconds = 0.0
        self.moved_bytes = 0
        self.due_seconds = math.inf


class PolledWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn publishes no types
    """The worker. Methods run in the poller's thread unless they say otherwise."""

    @override
    def init_process(self) -> None:
        self.settings: GatewaySettings = self.app.settings
        self._affinity = ThreadAffinity()
        self._told_at_seconds = -math.inf
        self._connections: set[PolledConnection] = set()
        self._seats = Places(self.settings.connections, per_address(self.settings.connections))
        receivers = self.settings.receiving_threads
        self._receivers = Places(receivers, per_address(receivers))
        self._turns: deque[PolledConnection] = deque()
        self._told = Told()
        #: How many requests are with a thread, or wait for one.
        self._begun = 0
        self._looked_at_seconds = 0.0
        # Supervisors take a process for dead that does not answer: a thread is kept for them.
        self._probes = ThreadPoolExecutor(1, thread_name_prefix="probe")
        self._on_ready: dict[State, Callable[[PolledConnection], None]] = {
            State.CLOSING: self._receive,
            State.IDLE: self._receive,
            State.HEAD: self._receive,
            State.ANSWER: self._send_on,
        }
        super().init_process()

    @override
    def notify(self) -> None:
        """Tell the master that the worker lives: now and then, not with each event."""
        now = time.monotonic()
        if now - self._told_at_seconds >= _LOOK_SECONDS:
            self._told_at_seconds = now
            super().notify()
            self._affinity.look()

    @override
    def accept(self, listener: socket.socket) -> None:
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_FILES:
                self._make_room()
            elif error.errno not in _NOBODY:
                raise
            return
        address = counted_as(client, self.settings.trusted_proxies)
        if not self._seats.take(address) and not (self._make_room(address) and self._seats.take(address)):
            self._told.cut_off(CutOff.CONNECTIONS, address)
            refuse_at_once(accepted)
            return
        channel = Channel(accepted, self.settings)
        connection = PolledConnection(self.cfg, channel, client, listener.getsockname(), address)
        self._connections.add(connection)
        self.nr_conns += 1
        self._listen(connection, self.settings.head_seconds)
        if self.nr_conns >= self.worker_connections:
            self._make_room()

    @override
    def enqueue_req(self, conn: PolledConnection) -> None:
        """Have a thread answer a request."""
        is_probe = conn.head is not None and conn.head.is_probe
        future = self._probes.submit(self.handle, conn) if is_probe else self.tpool.submit(self._handle_all, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _handle_all(self, conn: PolledConnection) -> bool:
        """Answer a request, and those that are there after it. Runs in its thread."""
        while (is_kept := bool(self.handle(conn))) and self._next_is_there(conn):
            conn.sock.expect(waits=False)
        return is_kept

    def _next_is_there(self, conn: PolledConnection) -> bool:
        """Send the answer, and see whether its thread, which runs this, may go on; what waits is the poller's."""
        if conn.receives or not self.alive or self._begun >= self.cfg.threads:
            return False
        conn.sock.flush()
        if not conn.sock.is_flushed:
            return False
        unreader = conn.parser.unreader
        came = unreader.take_buffered() or conn.sock.recv_now(_RECEIVE_BYTES) or b""
        unreader.unread(came)
        head = find_head(bytearray(came))
        return head is not None and not head.is_probe and head.is_whole_in(len(came))

    @override
    def handle_request(self, req: Request, conn: PolledConnection) -> bool:
        """Answer a request. Runs in its thread."""
        if not conn.receives:
            return bool(super().handle_request(req, conn))
        req.body = WatchedBody(
            req,
            came=partial(self.method_queue.defer, self._leave_receiving, conn),
            too_slow=partial(self.method_queue.defer, self._told.cut_off, CutOff.BODY, conn.address),
        )
        with self._affinity.apart():  # decoding and digests of a large body need no interpreter
            return bool(super().handle_request(req, conn))

    @override
    def finish_request(self, conn: PolledConnection, fs: Future[Any]) -> None:
        """Send what the thread has left, unless a WebSocket has taken the connection over."""
        self._begun -= 1
        self._leave_receiving(conn)
        if conn.sock.fileno() < 0:
            self._forget(conn)
            return
        conn.is_kept = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        self._begin(conn, State.ANSWER)
        self._do(self._send_on, conn)

    @override
    def murder_keepalived(self, force: bool = False) -> None:
        """Close all that is left once the worker has stopped."""
        for connection in list(self._connections) if force else ():
            self._drop(connection)

    @override
    def murder_pending(self) -> None:
        """End what is late."""
        now = time.monotonic()
        if now - self._looked_at_seconds >= _LOOK_SECONDS:
            self._looked_at_seconds = now
            for connection in [one for one in self._connections if one.due_seconds <= now]:
                self._do(self._end, connection)

    @override
    def _cap_keepalive(self, deadline: float) -> None:
        for connection in self._connections:
            if connection.state is State.IDLE:
                connection.due_seconds = min(connection.due_seconds, deadline)

    def _ready(self, connection: PolledConnection, _: object) -> None:
        # Others that were ready at the same time may have made it give way.
        if connection.events:
            self._do(self._on_ready[connection.state], connection)

    def _do(self, step: Callable[[PolledConnection], None], connection: PolledConnection) -> None:
        """Do a step of a connection; a fault of it ends this connection alone."""
        try:
            step(connection)
        except OSError:
            self._drop(connection)
        except Exception:
            self.log.exception("a fault on a connection")
            self._drop(connection)

    def _listen(self, connection: PolledConnection, wait_seconds: float) -> None:
        connection.state = State.IDLE
        connection.due_seconds = time.monotonic() + wait_seconds
        self._watch(connection, selectors.EVENT_READ)

    def _receive(self, connection: PolledConnection) -> None:
        data = connection.sock.recv_now(_RECEIVE_BYTES)
        if data is None:
            return
        if not data:
            self._drop(connection)
        elif connection.state is State.CLOSING:
            self._throw_away(connection, len(data))
        else:
            self._take_in(connection, data)

    def _take_in(self, connection: PolledConnection, data: bytes) -> None:
        if connection.state is State.IDLE:
            self._begin(connection, State.HEAD)
            connection.due_seconds = connection.since_seconds + self.settings.head_seconds
        searched_bytes = len(connection.received)
        connection.received += data
        if connection.head is None:
            connection.head = find_head(connection.received, searched_bytes)
            if connection.head is None:
                if len(connection.received) > _MAX_HEAD_BYTES:
                    self._refuse(connection, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
            whole_bytes = connection.head.request_bytes or 0
            connection.due_seconds = time.monotonic() + self.settings.allowed_seconds(whole_bytes)
        self._consider(connection, connection.head)

    def _consider(self, connection: PolledConnection, head: Head) -> None:
        """Have a request answered that is there, receive what is small, and find a thread for what is not."""
        if head.is_whole_in(len(connection.received)):
            self._start(connection)
        elif head.request_bytes is None or head.request_bytes > _MAX_HEAD_BYTES:
            connection.receiver = self._behind(connection)
            if self._receivers.take(connection.receiver):
                connection.receives = True
                self._start(connection)
            else:
                self._watch(connection, 0)
                connection.state = State.TURN
                connection.due_seconds = time.monotonic() + _TURN_SECONDS
                self._turns.append(connection)

    @staticmethod
    def _behind(connection: PolledConnection) -> str | None:
        """What the client of a request is counted as, also behind a proxy that names it."""
        if connection.address is None and connection.head is not None and connection.head.forwarded_for:
            return subscriber(connection.head.forwarded_for)
        return connection.address

    def _start(self, connection: PolledConnection) -> None:
        self._watch(connection, 0)
        connection.state, connection.due_seconds = State.REQUEST, math.inf
        connection.sock.expect(waits=connection.receives)
        connection.init()
        connection.parser.unreader.unread(bytes(connection.received))
        connection.received = bytearray()
        self._begun += 1
        self.enqueue_req(connection)

    def _leave_receiving(self, connection: PolledConnection) -> None:
        """Give the place of a body that has come to the first that may have it."""
        if not connection.receives:
            return
        connection.receives = False
        self._receivers.leave(connection.receiver)
        for waiting in list(self._turns):
            if self._receivers.take(waiting.receiver):
                self._turns.remove(waiting)
                waiting.receives = True
                self._do(self._start, waiting)

    def _begin(self, connection: PolledConnection, state: State) -> None:
        connection.state, connection.since_seconds, connection.moved_bytes = state, time.monotonic(), 0

    def _send_on(self, connection: PolledConnection) -> None:
        connection.moved_bytes += connection.sock.flush()
        if not connection.sock.is_flushed:
            connection.due_seconds = connection.since_seconds + self.settings.allowed_seconds(
                connection.moved_bytes
            )
            self._watch(connection, selectors.EVENT_WRITE)
        elif connection.is_kept:
            self._listen_again(connection)
        else:
            self._close(connection)

    def _listen_again(self, connection: PolledConnection) -> None:
        connection.head = None
        came = connection.parser.unreader.take_buffered()
        self._listen(connection, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        if came:
            self._take_in(connection, came)

    def _close(self, connection: PolledConnection) -> None:
        """Hang up, and throw away what comes: closed over unread bytes, a connection loses its answer."""
        connection.sock.shutdown(socket.SHUT_WR)
        self._begin(connection, State.CLOSING)
        connection.due_seconds = connection.since_seconds + _CLOSING_SECONDS
        self._watch(connection, selectors.EVENT_READ)

    def _throw_away(self, connection: PolledConnection, came_bytes: int) -> None:
        connection.moved_bytes += came_bytes
        more_seconds = min(connection.moved_bytes / LEAST_BYTES_PER_SECOND, self.settings.transfer_seconds)
        connection.due_seconds = connection.since_seconds + _CLOSING_SECONDS + more_seconds

    def _end(self, connection: PolledConnection) -> None:
        """End a connection whose time is over, and say why where that can be said."""
        if connection.state is State.HEAD:
            self._told.cut_off(CutOff.HEAD if connection.head is None else CutOff.BODY, connection.address)
            self._refuse(connection, HTTPStatus.REQUEST_TIMEOUT)
        elif connection.state is State.TURN:
            self._told.cut_off(CutOff.TURN, connection.address)
            self._refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            if connection.state is State.ANSWER:
                self._told.cut_off(CutOff.ANSWER, connection.address)
            self._drop(connection)

    def _refuse(self, connection: PolledConnection, status: HTTPStatus) -> None:
        if connection.state is State.TURN:
            self._turns.remove(connection)
        connection.is_kept = False
        self._begin(connection, State.ANSWER)
        connection.sock.sendall(answer_outside(status))
        self._send_on(connection)

    def _make_room(self, address: str | None = None) -> bool:
        """Close the connection that costs its caller least, of an address or of all; says whether there is one."""
        closable = [one for one in self._connections if one.state <= State.HEAD and address in {None, one.address}]
        if not closable:
            return False
        first = min(closable, key=lambda one: (one.state, one.due_seconds))
        self._told.cut_off(CutOff.CONNECTIONS, first.address)
        self._drop(first)
        return True

    def _drop(self, connection: PolledConnection) -> None:
        if connection.state is State.TURN:
            self._turns.remove(connection)
        self._watch(connection, 0)
        connection.close()
        if connection.state is not State.REQUEST:
            self._forget(connection)

    def _forget(self, connection: PolledConnection) -> None:
        self._connections.discard(connection)
        self._seats.leave(connection.address)
        self.nr_conns -= 1

    def _watch(self, connection: PolledConnection, events: int) -> None:
        if events == connection.events:
            return
        if not events:
            self.poller.unregister(connection.sock)
        elif not connection.events:
            self.poller.register(connection.sock, events, partial(self._ready, connection))
        else:
            self.poller.modify(connection.sock, events, partial(self._ready, connection))
        connection.events = events

"""All WebSockets of a process, in one thread of their own; what blocks runs in a few others."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from websockets.frames import CloseCode

from cutgate.gateway.addresses import Places, subscriber
from cutgate.gateway.settings import GatewaySettings, half, per_address
from cutgate.gateway.sockets.connection import CLOSING_SECONDS, Connection, Hold, MessageHandler, refusal
from cutgate.jobs.observe.metric_names import SOCKETS_OPEN
from cutgate.jobs.observe.metrics import change

TICK_SECONDS: Final = 0.25
"""How often connections are looked over: what is late, what is silent."""
_SILENT_PINGS: Final = 3
"""A peer from which nothing at all came for so many pings is gone, whatever the connection says."""
PING_SECONDS: Final = 25.0
"""Time between pings: proxies cut off after 60 s without a byte."""
IDLE_SECONDS: Final = 120.0
"""A connection on which nothing came for so long, while its peer waits for nothing, is closed: Runware's time."""
ADMISSION_SECONDS: Final = 15.0
"""Time in which a peer has to show who it is, also over a slow network."""
LARGE_MESSAGES: Final = 8
"""Messages above 1 MiB that are received and worked on at once: one of a connection, half of an account."""
THREADS: Final = 8
"""For calls that block, over all connections."""
_LOG: Final = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Sockets:
    """Takes connections over and keeps them. The thread starts with the first one."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Prepare; nothing is started before a connection is there."""
        self._settings = settings
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="socket-work")
        self._connections: set[Connection] = set()
        strangers = half(settings.sockets)
        self._places = Places(strangers, per_address(strangers))
        self._strangers: dict[Connection, str] = {}
        self._callers = Places(settings.sockets, half(settings.sockets))
        self._admitted: set[Connection] = set()
        self._large_places = Places(LARGE_MESSAGES, half(LARGE_MESSAGES))
        self._ask_later: dict[Connection, None] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()
        #: When those that are busy are given up, on the loop's clock; None while nobody has asked to stop.
        self.stop_at: float | None = None
        self._on_stop: list[Callable[[float], None]] = []
        self._beginning = 0
        self._is_stopping = False
        self._stopped = threading.Event()

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def receiving_large(self) -> int:
        """How many connections have a place for a large message."""
        return self._large_places.taken

    def take(
        self,
        connection: socket.socket,
        head: bytes,
        begin: Callable[[Connection], MessageHandler],
        address: str | None = None,
    ) -> None:
        """Take a connection over, from any thread.

        Args:
            connection: its socket, which nobody else uses from now on.
            head: the answer to the handshake, which is sent first.
            begin: makes the handler of its messages, in the sockets' thread.
            address: of the client.
        """
        connection.setblocking(False)
        self.begin(self._adopt(connection, head, begin, address))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Start something from any thread; nothing of that thread's request is bound for it."""
        loop = self._started()
        with self._lock:
            self._beginning += 1
            self._stopped.clear()
        loop.call_soon_threadsafe(self._begin, work, context=Context())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.start(work)
        with self._lock:
            self._beginning -= 1

    def on_stop(self, call: Callable[[float], None]) -> None:
        """Have something called in the sockets' thread with `stop_at`, once that is known."""
        self._on_stop.append(call)

    def admitted(self, connection: Connection) -> None:
        """Give a stranger a caller's place, if its account may have another, in the sockets' thread."""
        if connection in self._strangers:
            self._leave_strangers(connection)
            if self._callers.take(connection.owner):
                self._admitted.add(connection)
            else:
                connection.close(CloseCode.TRY_AGAIN_LATER, "no place for another connection of this account")

    def _leave_strangers(self, connection: Connection) -> None:
        if connection in self._strangers:
            self._places.leave(self._strangers.pop(connection))

    def ask_for_large(self, connection: Connection) -> None:
        """Give a connection the place that a large message needs, or hold it until there is one."""
        if self._large_places.take(connection.owner):
            connection.large_since = asyncio.get_running_loop().time()
            self._ask_later.pop(connection, None)
            connection.hold(Hold.ROOM, held=False)
        else:
            self._ask_later[connection] = None
            connection.hold(Hold.ROOM, held=True)

    def leave_large(self, connection: Connection) -> None:
        """Take that place back, and let those have it that have waited longest."""
        self._ask_later.pop(connection, None)
        if connection.large_since is not None:
            connection.large_since = None
            self._large_places.leave(connection.owner)
            for waiting in list(self._ask_later):
                self.ask_for_large(waiting)

    def over(self, connection: Connection) -> None:
        """Forget a connection that is over."""
        self._leave_strangers(connection)
        self.leave_large(connection)
        if connection in self._admitted:
            self._admitted.remove(connection)
            self._callers.leave(connection.owner)
        if connection in self._connections:
            self._connections.remove(connection)
            change(SOCKETS_OPEN, -1)
        self._tell_stopped()

    async def in_thread(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call that may block. It logs as what calls it does."""
        within = partial(copy_context().run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, within)

    def start(self, work: Coroutine[Any, Any, None], *, lasting: bool = False) -> asyncio.Task[None]:
        """Run something beside the rest, in the sockets' thread; a fault of it is logged.

        Args:
            work: what to run.
            lasting: it never ends, so that a stop does not wait for it.
        """
        task = asyncio.get_running_loop().create_task(work)
        (self._lasting if lasting else self._running).add(task)
        task.add_done_callback(self._done)
        return task

    def stop(self, grace_seconds: float) -> None:
        """Begin to stop, also from a signal's handler.

        Idle connections are closed with code 1000 and busy ones once they have their answers; what is busy after
        the grace is closed with 1012, so that its peer tries again elsewhere.
        """
        if self.stop_at is None:
            self.stop_at = time.monotonic() + grace_seconds
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_to_stop)

    def wait_until_stopped(self, wait_seconds: float) -> bool:
        """Whether every connection is over, and what its end led to; waits at most so long for that."""
        return self._loop is None or self._stopped.wait(wait_seconds)

    def close(self, grace_seconds: float = 0) -> None:
        """Stop, wait for it, and end the thread."""
        self.stop(grace_seconds)
        self.wait_until_stopped(grace_seconds + CLOSING_SECONDS + 1)
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=[self._loop], name="sockets", daemon=True)
                self._thread.start()
                if self.stop_at is not None:
                    self._loop.call_soon_threadsafe(self._begin_to_stop)
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(lambda: self.start(self._look_on(), lasting=True))
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._lasting.discard(task)
        self._tell_stopped()
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a fault on a socket", exc_info=error)

    async def _adopt(
        self,
        taken: socket.socket,
        head: bytes,
        begin: Callable[[Connection], MessageHandler],
        address: str | None,
    ) -> None:
        name = subscriber(address)
        is_full = self.stop_at is not None or len(self._connections) >= self._settings.sockets
        if is_full or not self._places.take(name):
            with suppress(OSError), taken:
                taken.send(head + refusal("no place for another connection"))
            return
        connection = Connection(head, begin, self, self._settings)
        self._strangers[connection] = name
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, taken)
        except OSError as error:
            taken.close()
            self.over(connection)
            _LOG.info("socket_not_taken", reason=type(error).__name__)
            return
        if not connection.transport.is_closing():
            self._connections.add(connection)
            change(SOCKETS_OPEN, 1)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._look_over()

    def _look_over(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections):
            if self.stop_at is None:
                self._look_at(connection, now)
            elif not connection.handler.busy:
                connection.close(CloseCode.NORMAL_CLOSURE, "the server stops")
            elif now >= self.stop_at:
                connection.close(CloseCode.SERVICE_RESTART, "the server stops")
        self._tell_stopped()

    def _tell_stopped(self) -> None:
        with self._lock:
            if self.stop_at is not None and not (self._connections or self._running or self._beginning):
                self._stopped.set()

    def _look_at(self, connection: Connection, now: float) -> None:
        if connection.has_life():
            connection.heard_at = now
        if now - connection.heard_at > _SILENT_PINGS * PING_SECONDS:
            connection.transport.abort()
        elif connection.is_late(now):
            connection.close(CloseCode.POLICY_VIOLATION, "the message comes too slowly")
        elif not connection.handler.admitted and now - connection.began_at > ADMISSION_SECONDS:
            connection.close(CloseCode.NORMAL_CLOSURE, "no authentication")
        elif not connection.handler.busy and now - connection.active_at > IDLE_SECONDS:
            connection.close(CloseCode.NORMAL_CLOSURE, "idle")
        elif now - connection.pinged_at > PING_SECONDS:
            connection.ping()

    def _begin_to_stop(self) -> None:
        if not self._is_stopping and self.stop_at is not None:
            self._is_stopping = True
            for connection in self._connections:
                connection.handler.stop()
            for call in self._on_stop:
                call(self.stop_at)
        self._look_over()

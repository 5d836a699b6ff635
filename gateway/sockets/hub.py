"""All WebSockets of a process, on its event loop; what blocks runs in a few threads."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
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
    """Takes connections over and keeps them. Used on the event loop."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Prepare; it looks connections over from the first one on."""
        self._settings = settings
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="socket-work")
        strangers = half(settings.sockets)
        self._strangers = Places(strangers, per_address(strangers))
        self._callers = Places(settings.sockets, half(settings.sockets))
        #: Each with what gives its place back.
        self._connections: dict[Connection, Callable[[], None]] = {}
        self._large_places = Places(LARGE_MESSAGES, half(LARGE_MESSAGES))
        self._ask_later: dict[Connection, None] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()
        #: When those that are busy are given up, on the loop's clock; None while nobody has asked to stop.
        self.stop_at: float | None = None

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def receiving_large(self) -> int:
        """How many connections have a place for a large message."""
        return self._large_places.taken

    def take(
        self,
        transport: asyncio.Transport,
        head: bytes,
        begin: Callable[[Connection], MessageHandler],
        address: str | None = None,
    ) -> None:
        """Take a connection over.

        Args:
            transport: it, which has no other protocol from now on.
            head: the answer to the handshake, which is sent first.
            begin: makes the handler of its messages.
            address: of the client.
        """
        name = subscriber(address)
        is_full = self.stop_at is not None or len(self._connections) >= self._settings.sockets
        if is_full or not self._strangers.take(name):
            transport.write(head + refusal("no place for another connection"))
            transport.close()
            return
        if not self._lasting:
            self.start(self._look_on(), lasting=True)
        connection = Connection(head, begin, self, self._settings)
        self._connections[connection] = partial(self._strangers.leave, name)
        change(SOCKETS_OPEN, 1)
        transport.set_protocol(connection)
        connection.connection_made(transport)

    def admitted(self, connection: Connection) -> None:
        """Give a stranger a caller's place, if its account may have another."""
        self._connections[connection]()
        if self._callers.take(connection.owner):
            self._connections[connection] = partial(self._callers.leave, connection.owner)
        else:
            self._connections[connection] = lambda: None  # it has no place to give back
            connection.close(CloseCode.TRY_AGAIN_LATER, "no place for another connection of this account")

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
        self.leave_large(connection)
        self._connections.pop(connection)()
        change(SOCKETS_OPEN, -1)

    async def in_thread(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call that may block. It logs as what calls it does."""
        within = partial(copy_context().run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, within)

    def start(self, work: Coroutine[Any, Any, None], *, lasting: bool = False) -> asyncio.Task[None]:
        """Run something beside the rest; a fault of it is logged.

        Args:
            work: what to run.
            lasting: it never ends, so that a stop does not wait for it.
        """
        task = asyncio.get_running_loop().create_task(work)
        (self._lasting if lasting else self._running).add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self, stop_at: float = 0) -> None:
        """Close all connections, and wait until they are over.

        Idle connections are closed with code 1000 and busy ones once they have their answers; what is busy at
        `stop_at`, on the loop's clock, is closed with 1012, so that its peer tries again elsewhere.
        """
        loop = asyncio.get_running_loop()
        self.stop_at = max(stop_at, loop.time())
        for connection in self._connections:
            connection.handler.stop()
        while (self._connections or self._running) and loop.time() < self.stop_at + CLOSING_SECONDS + 1:
            self._look_over()
            await asyncio.sleep(TICK_SECONDS / 5)
        for task in self._running | self._lasting:
            task.cancel()

    def end(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._lasting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("socket_failed", exc_info=error)

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

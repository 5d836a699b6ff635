"""Callers that are held in the sockets' thread: each costs its connection, and no thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from flask import Response, request

from cutgate.gateway.addresses import Places
from cutgate.gateway.settings import GatewaySettings, half
from cutgate.gateway.sockets.endings import Endings
from cutgate.gateway.sockets.handover import SOCKET_KEY, TakenOver
from cutgate.gateway.sockets.held_connection import HeldConnection
from cutgate.gateway.sockets.holding import HeldPlace, Render, ThreadHolds
from cutgate.gateway.sockets.postponed import Postponed
from cutgate.gateway.tasks.wait import NoPlaceToWait
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe import logs
from cutgate.jobs.observe.metric_names import CALLERS_HELD, PEERS_CUT_OFF
from cutgate.jobs.observe.metrics import change, count
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import Task

HUNG_UP: Final = 499
"""The status under which the log has a caller that hung up before its answer was there; it is nginx's."""
HANG_UP_SECONDS: Final = 5.0
"""How long after its caller has hung up a task that was not begun is terminated: a repeat joins it before."""
_LOG: Final = structlog.get_logger(__name__)


@dataclass(eq=False, kw_only=True)
class Caller:
    """Who is held, with a place of an account's."""

    account: str
    uid: TaskUid
    until: float
    """On the loop's clock."""
    render: Render
    postponed: Postponed
    is_leaving: bool = False
    """Whether it hung up long enough ago."""
    has_left: bool = False
    """Whether its task was terminated for that."""
    dropped: weakref.finalize[..., TakenOver] | None = None
    """What gives the place back if its connection is never taken."""


class SocketHolds:
    """Takes the connections of callers away from the server, where it gives them; else keeps their threads."""

    def __init__(
        self, endings: Endings, store: Ledger, in_threads: ThreadHolds, settings: GatewaySettings
    ) -> None:
        """Put the parts together.

        Args:
            endings: says when tasks have ended.
            store: is told of callers that have left.
            in_threads: holds those whose connections the server does not give.
            settings: how many are held.
        """
        self._endings, self._sockets, self._store = endings, endings.sockets, store
        self._in_threads, self._settings = in_threads, settings
        self._lock = threading.RLock()  # a place that is dropped may be left in the middle of anything
        self._places = Places(settings.held_callers, half(settings.held_callers))
        self._waits: set[asyncio.Timeout] = set()
        self._sockets.on_stop(self._hurry)

    def __len__(self) -> int:
        """How many places are taken."""
        return self._places.taken

    @contextmanager
    def require_place(self, account: str) -> Iterator[HeldPlace]:
        """See `Holds`."""
        if SOCKET_KEY not in request.environ:
            with self._in_threads.require_place(account) as place:
                yield place
            return
        with self._lock:
            if not self._places.take(account):
                raise NoPlaceToWait
        taken = _Place(self, account)
        try:
            yield taken
        finally:
            if not taken.is_used:
                self.leave(account)

    def leave(self, account: str) -> None:
        """Give a place back."""
        with self._lock:
            self._places.leave(account)

    def take(self, caller: Caller, connection: socket.socket) -> None:
        """Hold a caller, who has a place, from now on."""
        if caller.dropped is not None:
            caller.dropped.detach()
        self._sockets.begin(self._serve(caller, connection))

    async def _serve(self, caller: Caller, taken: socket.socket) -> None:
        logs.begin(**caller.postponed.kept.bound)
        change(CALLERS_HELD, 1)
        try:
            connection = await self._connection(caller, taken)
            if connection is not None:
                await self._serve_on(connection, caller)
        finally:
            change(CALLERS_HELD, -1)
            self.leave(caller.account)

    async def _connection(self, caller: Caller, taken: socket.socket) -> HeldConnection | None:
        try:
            return await HeldConnection.on(taken, self._settings)
        except OSError:  # it is gone already
            await self._leave_task(caller)
            await self._sockets.in_thread(caller.postponed.answer, _hung_up)
            return None

    async def _serve_on(self, connection: HeldConnection, caller: Caller) -> None:
        try:
            with closing(await self._answer(caller, connection)) as answer:
                if not await connection.send(self._parts(answer)) and not connection.hung_up.is_set():
                    count(PEERS_CUT_OFF, reason="answer")
        finally:
            connection.transport.abort()

    async def _answer(self, caller: Caller, connection: HeldConnection) -> Generator[bytes]:
        """What is to be sent, once the task has ended, or the time is over of the caller or of this server."""
        leaving = self._sockets.start(self._watch(caller, connection))
        make: Callable[[], Response]
        try:
            make = partial(caller.render, await self._ended(caller))
        except TimeoutError:
            make = partial(self._render_as_it_stands, caller)
            # Nobody comes back for what a caller has asked for that is gone.
            if connection.hung_up.is_set() and self._sockets.stop_at is None:
                await asyncio.wait([leaving])
        if caller.is_leaving:
            await asyncio.wait([leaving])
        leaving.cancel()
        if caller.has_left or connection.is_lost:
            make = _hung_up
        return await self._sockets.in_thread(caller.postponed.answer, make)

    async def _ended(self, caller: Caller) -> Task | None:
        """The task once it has ended.

        Raises:
            TimeoutError: the time is over.
        """
        async with asyncio.timeout_at(min(caller.until, self._sockets.stop_at or caller.until)) as wait:
            self._waits.add(wait)
            try:
                return await self._endings.waits.wait(caller.account, caller.uid)
            finally:
                self._waits.discard(wait)

    def _hurry(self, stop_at: float) -> None:
        """Have nobody waited for longer than this server may go on."""
        for wait in [wait for wait in self._waits if not wait.expired()]:
            wait.reschedule(min(stop_at, wait.when() or stop_at))

    def _render_as_it_stands(self, caller: Caller) -> Response:
        [task] = self._endings.tasks.find(caller.account, [caller.uid])
        return caller.render(task)

    async def _watch(self, caller: Caller, connection: HeldConnection) -> None:
        """Terminate the task of a caller that hung up, unless it was begun, or others wait for it."""
        await connection.hung_up.wait()
        await asyncio.sleep(HANG_UP_SECONDS)
        caller.is_leaving = True
        await self._leave_task(caller)

    async def _leave_task(self, caller: Caller) -> None:
        try:
            caller.has_left = await self._sockets.in_thread(self._store.tasks.leave, caller.uid, caller.account)
        except LedgerUnavailable as error:
            _LOG.warning("task_not_terminated", task_uid=caller.uid, reason=str(error))

    async def _parts(self, answer: Generator[bytes]) -> AsyncIterator[bytes]:
        while part := await self._sockets.in_thread(partial(next, answer, b"")):
            yield part


def _hung_up() -> Response:
    return Response(status=HUNG_UP)


@dataclass
class _Place:
    """Of one caller; it is the caller's once that is held."""

    holds: SocketHolds
    account: str
    is_used: bool = False

    def hold(self, uid: TaskUid, wait_seconds: float, render: Render) -> Response:
        caller = Caller(
            account=self.account,
            uid=uid,
            until=time.monotonic() + wait_seconds,
            render=render,
            postponed=Postponed.present(),
        )
        answer = TakenOver(partial(self.holds.take, caller))
        self.is_used = True
        # What fails between the view and the server would else keep the place for good.
        caller.dropped = weakref.finalize(answer, self.holds.leave, self.account)
        return answer

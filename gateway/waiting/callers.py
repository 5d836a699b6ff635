"""HTTP callers that wait for the ends of tasks: places for them, and how each is kept waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, ParamSpec, Protocol, TypeVar

import structlog
from flask import Response, request

from cutgate.gateway.addresses import Places
from cutgate.gateway.settings import GatewaySettings, half
from cutgate.gateway.waiting.ends import TaskEnds
from cutgate.gateway.waiting.later import Later, Make, Peer, at_end
from cutgate.gateway.waiting.streams import Follow, SharedProgress, Streamed, events
from cutgate.jobs.errors import BlobMissing, LedgerUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe.metric_names import CALLERS_HELD
from cutgate.jobs.observe.metrics import change
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import Task

HUNG_UP: Final = 499
"""The status under which the log has a caller that hung up before its answer was there; it is nginx's."""
HANG_UP_SECONDS: Final = 5.0
"""How long after its caller has hung up a task that was not begun is terminated: a repeat joins it before."""
_PLACE: Final = "cutgate.waits"
"""Name in the environment of a request that has a place."""
_LOG: Final = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

Render = Callable[[Task], Response]
"""Makes the answer of a task as it then stands."""


class InThread(Protocol):
    """Does in another thread what may block."""

    async def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call."""


class NoPlaceToWait(Exception):
    """Too many callers are waiting, of the account or of all."""


@dataclass(frozen=True, slots=True)
class Wait(Generic[A]):
    """What is answered once one of some tasks has ended, or the time is over."""

    uids: Sequence[TaskUid]
    wait_seconds: float
    answer: Callable[[], A]
    """Makes the answer in a request thread, as the tasks then stand."""


class WaitingCallers:
    """Keeps callers waiting, so many in all and half of them of one account."""

    def __init__(self, ends: TaskEnds, store: Ledger, in_thread: InThread, settings: GatewaySettings) -> None:
        """Put the parts together; `in_thread` does what blocks, and the settings say how many may wait."""
        self._ends, self._store, self._in_thread = ends, store, in_thread
        self._places = Places(settings.held_callers, half(settings.held_callers))
        self._lock = threading.Lock()
        self._timeouts: set[asyncio.Timeout] = set()
        self._progress = SharedProgress(lambda uids: in_thread(store.tasks.progress, uids))
        self._stopping = asyncio.Event()
        #: When nobody is waited for any more, on the loop's clock; None while nobody has asked to stop.
        self.stop_at: float | None = None

    def has_place(self, account: str) -> bool:
        """Whether the present request may wait: asked before its work is accepted, for it must then be answered.

        It has its place until its end, however often it is asked for.
        """
        environ = request.environ
        if _PLACE not in environ:
            with self._lock:
                if not self._places.take(account):
                    return False
            environ[_PLACE] = True
            at_end().callback(self._leave, account)
        return True

    def until(self, account: str, waits: Sequence[tuple[Sequence[TaskUid], float]], make: Make) -> Later:
        """The answer once every wait is over.

        Args:
            account: whose tasks they are.
            waits: each for the first end among some tasks, and for how many seconds at most.
            make: makes the answer.
        """

        async def waited(peer: Peer) -> Make:
            over = asyncio.gather(*(self._ended(account, uids, seconds) for uids, seconds in waits))
            ends: list[asyncio.Future[Any]] = [over, asyncio.ensure_future(peer.hung_up.wait())]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
            return _hung_up if peer.is_lost else make

        return self._later(waited)

    def require_place(self, account: str) -> None:
        """Have the present request wait, as `has_place` does.

        Raises:
            NoPlaceToWait: it cannot.
        """
        if not self.has_place(account):
            raise NoPlaceToWait

    def hold(self, account: str, uid: TaskUid, wait_seconds: float, render: Render) -> Later:
        """The answer of a task that exists for its caller alone: it is terminated if that one hangs up.

        What `render` raises is answered as if the view did, and so is that the task is gone, as `BlobMissing`.
        """
        return self._later(partial(self._hold, account, uid, wait_seconds, render))

    def stream(self, account: str, follow: Follow) -> Streamed:
        """Tell a caller how its tasks go on, for as long as it listens and the gateway is not told to stop."""

        async def told(peer: Peer) -> AsyncGenerator[bytes, None]:
            over = asyncio.ensure_future(_first_of(peer.hung_up, self._stopping))
            change(CALLERS_HELD, 1)
            try:
                look, ended = partial(self._progress.of, account), partial(self._ends.wait, account)
                async with aclosing(events(follow, look, ended, over)) as parts:
                    async for part in parts:
                        yield part
            finally:
                change(CALLERS_HELD, -1)
                over.cancel()

        return Streamed(told)

    def stop(self, stop_at: float) -> None:
        """Have nobody waited for longer than until then, on the loop's clock; streams end at once."""
        self.stop_at = stop_at
        self._stopping.set()
        for timeout in [timeout for timeout in self._timeouts if not timeout.expired()]:
            timeout.reschedule(min(stop_at, timeout.when() or stop_at))

    def __len__(self) -> int:
        """How many places are taken."""
        return self._places.taken

    def _leave(self, account: str) -> None:
        with self._lock:
            self._places.leave(account)

    @staticmethod
    def _later(wait: Callable[[Peer], Awaitable[Make]]) -> Later:
        async def counted(peer: Peer) -> Make:
            change(CALLERS_HELD, 1)
            try:
                return await wait(peer)
            finally:
                change(CALLERS_HELD, -1)

        return Later(counted)

    async def _ended(self, account: str, uids: Sequence[TaskUid], wait_seconds: float) -> tuple[bool, Task | None]:
        """Whether a task has ended in time, and the first one that has."""
        until = asyncio.get_running_loop().time() + wait_seconds
        try:
            async with asyncio.timeout_at(min(until, self.stop_at or until)) as timeout:
                self._timeouts.add(timeout)
                try:
                    return True, await self._ends.wait(account, uids)
                finally:
                    self._timeouts.discard(timeout)
        except TimeoutError:
            return False, None

    async def _hold(self, account: str, uid: TaskUid, wait_seconds: float, render: Render, peer: Peer) -> Make:
        ended = asyncio.ensure_future(self._ended(account, [uid], wait_seconds))
        left = asyncio.ensure_future(self._has_left(account, uid, peer))
        try:
            await asyncio.wait({ended, left}, return_when=asyncio.FIRST_COMPLETED)
            if not (left.done() and left.result()):
                is_over, task = await ended
                # Nobody comes back for what a caller has asked for that is gone.
                if peer.hung_up.is_set() and not is_over and self.stop_at is None:
                    await left
                if not peer.is_lost and not (left.done() and left.result()):
                    find = partial(self._store.tasks.get, uid, account)
                    return lambda: _rendered(render, task if is_over else find())
            return _hung_up
        finally:
            ended.cancel()
            left.cancel()

    async def _has_left(self, account: str, uid: TaskUid, peer: Peer) -> bool:
        """Terminate the task of a caller once it has hung up, unless it was begun, or others wait for it."""
        await peer.hung_up.wait()
        await asyncio.sleep(HANG_UP_SECONDS)
        try:
            return await self._in_thread(self._store.tasks.leave, uid, account)
        except LedgerUnavailable as error:
            _LOG.warning("task_not_terminated", task_uid=uid, reason=str(error))
            return False


async def _first_of(*events: asyncio.Event) -> None:
    """Return once one of some things has happened."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _rendered(render: Render, task: Task | None) -> Response:
    if task is None:
        raise BlobMissing("the result is gone")
    return render(task)


def _hung_up() -> Response:
    return Response(status=HUNG_UP)

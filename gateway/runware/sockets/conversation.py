"""What is spoken on one WebSocket: authentication, pings, tasks, and the results that a lost one was owed."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import Any, Final

import structlog
from structlog.contextvars import bind_contextvars
from typing_extensions import override
from websockets.frames import CloseCode

from cutgate.gateway.accounts.rates import RateExceeded
from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.answers import JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.errors import AUTHENTICATION, key_refusal, refusal
from cutgate.gateway.runware.messages.parsing import PING, pings_in, read_message
from cutgate.gateway.runware.sockets.sender import Frame, Speaker
from cutgate.gateway.runware.sockets.sessions import Opened, Session, is_session_uuid
from cutgate.gateway.runware.sockets.shared import LARGE_BYTES, House
from cutgate.gateway.runware.tasks.counting import Heard
from cutgate.gateway.runware.tasks.services import Caller
from cutgate.gateway.runware.tasks.table import authenticated, pong
from cutgate.gateway.sockets.connection import Connection, Talk
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe import logs
from cutgate.jobs.record import Task

_BEGINNING: Final = 4
"""Tasks of a connection that are begun at a time: each may hold a picture."""
_WAITING_MESSAGES: Final = 8
"""Messages of a connection that may wait for their turn; with more of them nothing is read from it."""
_KEPT: Final = frozenset({"imageUpload", "mediaStorage"})
"""Tasks whose answers cannot be made anew from a record."""
_LOG: Final = structlog.get_logger()

Guard = AbstractAsyncContextManager[None]
"""What has to be entered to hold a message in memory in several forms."""


class Conversation(Talk):
    """Answers the messages of a connection, many of them at a time."""

    def __init__(
        self,
        connection: Connection,
        house: House,
        *,
        address: str | None,
        base_url: str,
        over: Callable[[Conversation], None],
    ) -> None:
        """Begin.

        Args:
            connection: what messages go through.
            house: everything else.
            address: of the client; keys that are wrong count against it.
            base_url: scheme and host in front of result paths.
            over: called once at the end.
        """
        self.connection = connection
        self._over = over
        self._house = house
        self._address = address
        self._base_url = base_url
        self._speaker = Speaker(connection, house.sockets, house.sessions)
        self._caller: Caller | None = None
        self._inbox: deque[bytes] = deque()
        self._beginning = asyncio.Semaphore(_BEGINNING)
        self._work: set[asyncio.Task[None]] = set()
        self._is_reading = False
        self._waiting = 0
        self._stopping = False

    @property
    @override
    def busy(self) -> bool:
        return bool(self._work)

    @property
    @override
    def admitted(self) -> bool:
        return self._caller is not None

    @property
    def session(self) -> Session | None:
        """What it holds since its authentication."""
        return self._speaker.session

    @override
    def heard(self, message: bytes) -> None:
        pings = pings_in(message)
        if pings:
            copy_context().run(self._pong, pings)
            return
        self._inbox.append(message)
        if len(self._inbox) > _WAITING_MESSAGES:
            self.connection.hold(held=True)
        if not self._is_reading:
            self._is_reading = True
            self._start(self._read_on())

    @override
    def received(self, receipt: int) -> None:
        self._speaker.received(receipt)

    @override
    def stop(self) -> None:
        self._stopping = True

    @override
    def lost(self, code: int) -> None:
        for task in self._work:
            task.cancel()
        self._speaker.lost(code)
        self._over(self)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._house.sockets.start(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _read_on(self) -> None:
        try:
            while self._inbox:
                await self._read(self._inbox.popleft())
                if len(self._inbox) == _WAITING_MESSAGES:
                    self.connection.hold(held=False)
        finally:
            self._is_reading = False

    async def _read(self, message: bytes) -> None:
        heard = self._hear()
        guard = self._house.large if len(message) > LARGE_BYTES else nullcontext()
        try:
            async with guard:
                tasks = await self._house.sockets.in_thread(read_message, message, self._house.max_tasks)
        except faults.RequestUnreadable as error:
            self._say(refusal(error, {}), heard)
            return
        del message  # it may be large, and so may its tasks: none is held for longer than it takes
        tasks.reverse()
        while tasks:
            await self._take(tasks.pop(), guard, heard)

    def _hear(self) -> Heard:
        """A message that came now, with an id for the lines of what it leads to."""
        logs.begin(request_uuid=str(uuid.uuid4()))
        if self._caller is not None:
            bind_contextvars(account=self._caller.account.name)
        return Heard()

    def _pong(self, count: int) -> None:
        heard = self._hear()
        for _ in range(count):
            self._say(pong(), heard)

    def _say(self, outcome: Outcome, heard: Heard) -> None:
        """Answer in a few words, ahead of what waits."""
        heard.answered(outcome)
        self._speaker.say(outcome.message())

    async def _take(self, task: JsonObject, guard: Guard, heard: Heard) -> None:
        task_type = task.get("taskType")
        if task_type == PING:
            self._say(pong(), heard)
        elif task_type == AUTHENTICATION:
            await self._authenticate(task, heard)
        elif self._caller is None:
            self._say(refusal(faults.KeyMissing(), task), heard)
        elif self._stopping:
            self._say(refusal(faults.ServerStops(), task), heard)
        else:
            await self._beginning.acquire()
            self._start(self._call(task, self._caller, guard, heard))

    async def _authenticate(self, task: JsonObject, heard: Heard) -> None:
        try:
            caller, opened = await self._house.sockets.in_thread(self._open, task)
        except (faults.RequestFault, RateExceeded, LedgerUnavailable) as error:
            outcome, message = key_refusal(error)
            heard.answered(outcome)
            self._speaker.say(message)
            # After a wrong key the connection stays until its time is over: one client takes an open one for an
            # answer, and waits for minutes after a closed one. What passes is tried again at once.
            if not isinstance(error, faults.RequestFault):
                self.connection.close(CloseCode.TRY_AGAIN_LATER)
            return
        self._caller = caller
        self.connection.admit()
        self._speaker.admit(opened)
        bind_contextvars(account=caller.account.name)
        self._say(authenticated(opened.session.uuid), heard)
        await self._replay(opened, caller.account.name)

    def _open(self, task: JsonObject) -> tuple[Caller, Opened]:
        account = self._house.gatekeeper.account_of(task.get("apiKey"), self._address)
        if self._caller is not None and self.session is not None:
            if account.name != self._caller.account.name:
                raise faults.KeyUnknown
            return self._caller, Opened(session=self.session)
        wanted = task.get("connectionSessionUUID")
        opened = self._house.sessions.open(account.name, wanted if is_session_uuid(wanted) else None)
        return Caller(account=account, base_url=self._base_url, take_place=self._take_place), opened

    def _take_place(self) -> bool:
        return self._waiting < self._house.calls

    async def _call(self, task: JsonObject, caller: Caller, guard: Guard, heard: Heard) -> None:
        """Do a task, for which `_beginning` has a place."""
        try:
            async with guard:
                answer = await self._house.sockets.in_thread(self._begin, task, caller)
        finally:
            self._beginning.release()
        is_kept = task.get("taskType") in _KEPT
        del task
        if isinstance(answer, Pending):
            await self._await(answer, heard)
        else:
            heard.answered(answer)
            await self._speaker.send(partial(Frame.of, answer, is_kept=is_kept))

    def _begin(self, task: JsonObject, caller: Caller) -> Outcome | Pending:
        answer = self._house.runware.begin(task, caller)
        if isinstance(answer, Pending) and answer.is_result and self.session is not None:
            try:
                self._house.sessions.owe(self.session, answer.uid)
            except LedgerUnavailable as error:
                _LOG.warning("session_not_kept", reason=str(error))
        return answer

    async def _await(self, pending: Pending, heard: Heard | None = None) -> None:
        """Wait for a task and send its result.

        Args:
            pending: what is waited for.
            heard: the message that asked for it; None where none on this connection has, and no error is sent.
        """
        owed = pending.uid if pending.is_result else None
        self._waiting += 1
        try:
            task = await self._house.endings.wait(pending.account, pending.uid, pending.wait_seconds)
            is_over = True
        except TimeoutError:
            task, is_over = None, False
        finally:
            self._waiting -= 1

        def made() -> Frame | None:
            outcome = (pending.settle(task) if is_over else None) or pending.give_up()
            if heard is not None:
                heard.answered(outcome)
            elif outcome.failed:
                return None
            return Frame.of(outcome, owed)

        await self._speaker.send(made)

    async def _replay(self, opened: Opened, account: str) -> None:
        """Send what was not delivered, oldest first, and wait for what still runs."""
        for text in opened.frames:
            await self._speaker.send(partial(Frame, text=text, is_kept=True))
        if not opened.owed:
            return
        found = await self._house.sockets.in_thread(self._house.tasks.find, account, opened.owed)
        ended = [task for task in found if task is not None and task.ended_at_ms is not None]
        for task in sorted(ended, key=lambda task: task.ended_at_ms or 0):
            await self._await(self._owed(account, task.uid))
        for uid, owed in zip(opened.owed, found, strict=True):
            if owed is None:
                self._speaker.forget(uid)
            elif owed.ended_at_ms is None:
                self._start(self._await(self._owed(account, uid)))

    def _owed(self, account: str, uid: TaskUid) -> Pending:
        services = self._house.runware.services

        def settle(task: Task | None) -> Outcome | None:
            return None if task is None else services.rendering.result(task, self._base_url)

        return Pending(
            account=account,
            uid=uid,
            wait_seconds=services.sync_seconds,
            settle=settle,
            give_up=lambda: refusal(faults.TookTooLong(), {}),
            echo={},
        )

"""The conversation on one WebSocket: authentication, pings, tasks, and results owed to a lost connection."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from typing_extensions import override
from websockets.frames import CloseCode

from cutgate.gateway.accounts.authentication import AddressShutOut, KeyMissing, KeyRefused, KeyUnknown
from cutgate.gateway.runware.messages.errors import Refused, key_refusal, refusal
from cutgate.gateway.runware.messages.outcomes import AnswerLog, JsonObject, Outcome, Pending
from cutgate.gateway.runware.messages.reading import pings_in, read_message
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.runware.sockets.sender import Frame, Sender
from cutgate.gateway.runware.sockets.sessions import Opened, Session, Sessions, is_session_uuid
from cutgate.gateway.runware.tasks.actions import RunwareTasks, authenticated, guarded, pong
from cutgate.gateway.runware.tasks.context import Caller
from cutgate.gateway.sockets.connection import LARGE_BYTES, Connection, Hold, MessageHandler
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe import logs
from cutgate.jobs.record import ItemState, Task

_BEGINNING: Final = 4
"""Tasks of a connection that are begun at a time: each may hold a picture."""
CALLS: Final = 100
"""Calls of a connection that may wait for results at a time: three messages with as many tasks as one may have."""
_WAITING_MESSAGES: Final = 8
_WAITING_BYTES: Final = LARGE_BYTES
"""What of a connection's messages may wait for its turn, or be at it; with more nothing is read from it."""
_KEPT: Final = frozenset({TaskType.IMAGE_UPLOAD, TaskType.MEDIA_STORAGE})
"""Tasks whose answers cannot be made anew from a record."""
_LOG: Final = structlog.get_logger(__name__)

Guard = AbstractAsyncContextManager[None]
"""What has to be entered to hold a message in memory in several forms."""


class Conversation(MessageHandler):
    """Answers the messages of a connection, many of them at a time."""

    def __init__(
        self,
        connection: Connection,
        runware: RunwareTasks,
        sessions: Sessions,
        large: asyncio.Semaphore,
        *,
        address: str | None,
        base_url: str,
        over: Callable[[Conversation], None],
    ) -> None:
        self.connection = connection
        self._over = over
        self._runware, self._parts, self._sessions, self._large = runware, runware.parts, sessions, large
        self._address = address
        self._base_url = base_url
        self._sender = Sender(connection, runware.parts.sockets, sessions)
        self._caller: Caller | None = None
        self._inbox: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._was_refused = False
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
        return self._sender.session

    @override
    def message_received(self, message: bytes) -> None:
        pings = pings_in(message) if self.connection.reads else 0
        if pings:
            copy_context().run(self._pong, pings)
            return
        self._inbox.append(message)
        self._waiting_bytes += len(message)
        self._hold_or_go_on()
        if not self._is_reading:
            self._is_reading = True
            self._start(self._read_on())

    @override
    def delivered(self, receipt: int) -> None:
        self._sender.delivered(receipt)

    @override
    def stop(self) -> None:
        self._stopping = True

    @override
    def connection_lost(self, code: int) -> None:
        for task in self._work:
            task.cancel()
        self._sender.connection_lost(code)
        self._over(self)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._parts.sockets.start(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _read_on(self) -> None:
        try:
            # What is answered at once waits for a peer that does not read.
            while self._inbox and await self.connection.writable():
                message = self._inbox.popleft()
                size_bytes = len(message)
                reading = self._read(message)
                del message
                await reading
                self._waiting_bytes -= size_bytes
                self._hold_or_go_on()
        finally:
            self._is_reading = False

    def _hold_or_go_on(self) -> None:
        is_enough = self._waiting_bytes > _WAITING_BYTES or len(self._inbox) > _WAITING_MESSAGES
        self.connection.hold(Hold.HANDLER, held=is_enough)

    async def _read(self, message: bytes) -> None:
        log = self._new_log()
        is_large = len(message) > LARGE_BYTES
        guard = self._large if is_large else nullcontext()
        try:
            async with guard:
                tasks = await self._parts.sockets.in_thread(
                    read_message, message, self._parts.settings.max_runware_tasks
                )
        except Refused as error:
            self._answer(refusal(error, {}), log)
            return
        del message  # it may be large, and so may its tasks: none is held for longer than it takes
        tasks.reverse()
        while tasks:
            await self._take(tasks.pop(), guard, log)
        if is_large:
            await self._all_begun()

    async def _all_begun(self) -> None:
        """Wait until no task of the present message is in memory."""
        for _ in range(_BEGINNING):
            await self._beginning.acquire()
        for _ in range(_BEGINNING):
            self._beginning.release()

    def _new_log(self) -> AnswerLog:
        """The log of a message that came now, with an id for all lines of what it leads to."""
        logs.begin(request_uuid=str(uuid.uuid4()))
        if self._caller is not None:
            logs.bind(account=self._caller.account.name)
        return AnswerLog()

    def _pong(self, count: int) -> None:
        log = self._new_log()
        for _ in range(count):
            self._answer(pong(), log)

    def _answer(self, outcome: Outcome, log: AnswerLog) -> None:
        """Answer in a few words, ahead of what waits."""
        self._note(outcome, log)
        self._sender.send_now(outcome.message())

    def _note(self, outcome: Outcome, log: AnswerLog) -> None:
        """Note an answer; of a peer without a key the log tells of the first refusal alone."""
        if self.admitted or not self._was_refused:
            log.add(outcome)
        else:
            log.count(outcome)
        self._was_refused = self._was_refused or outcome.failed

    async def _take(self, task: JsonObject, guard: Guard, log: AnswerLog) -> None:
        task_type = task.get("taskType")
        if task_type == TaskType.PING:
            self._answer(pong(), log)
        elif task_type == TaskType.AUTHENTICATION:
            await self._authenticate(task, log)
        elif self._caller is None:
            self._answer(refusal(KeyMissing(), task), log)
        elif self._stopping:
            self._answer(refusal(Refused("stopping"), task), log)
        else:
            await self._beginning.acquire()
            self._start(self._call(task, self._caller, guard, log))

    async def _authenticate(self, task: JsonObject, log: AnswerLog) -> None:
        try:
            caller, opened = await self._parts.sockets.in_thread(self._open, task)
        except (KeyRefused, AddressShutOut, LedgerUnavailable) as error:
            outcome, message = key_refusal(error)
            self._note(outcome, log)
            self._sender.send_now(message)
            # After a wrong key the connection stays until its time is over: one client takes an open one for an
            # answer, and waits for minutes after a closed one. What passes is tried again at once.
            if not isinstance(error, KeyRefused):
                self.connection.close(CloseCode.TRY_AGAIN_LATER)
            return
        self._caller = caller
        self.connection.admit(caller.account.name)
        self._sender.admit(opened)
        logs.bind(account=caller.account.name)
        self._answer(authenticated(opened.session.uuid), log)
        self._start(self._replay(opened, caller.account.name))

    def _open(self, task: JsonObject) -> tuple[Caller, Opened]:
        credential = self._parts.authenticator.credential_of(task.get("apiKey"), self._address)
        account = credential.account
        if self._caller is not None and self.session is not None:
            if account.name != self._caller.account.name:
                raise KeyUnknown
            return self._caller, Opened(session=self.session)
        wanted = task.get("connectionSessionUUID")
        opened = self._sessions.open(account.name, wanted if is_session_uuid(wanted) else None)
        return Caller(credential=credential, base_url=self._base_url, take_place=self._take_place), opened

    def _take_place(self) -> bool:
        return self._waiting < CALLS

    async def _call(self, task: JsonObject, caller: Caller, guard: Guard, log: AnswerLog) -> None:
        """Do a task, for which `_beginning` has a place."""
        try:
            async with guard:
                answer, is_revoked = await self._parts.sockets.in_thread(self._begin, task, caller)
        finally:
            self._beginning.release()
        is_kept = task.get("taskType") in _KEPT
        del task
        if isinstance(answer, Pending):
            await self._await(answer, log)
        else:
            log.add(answer)
            await self._sender.send(partial(Frame.of, answer, is_kept=is_kept))
            if is_revoked:
                self.connection.close(CloseCode.POLICY_VIOLATION, "the key counts no more")

    def _begin(self, task: JsonObject, caller: Caller) -> tuple[Outcome | Pending, bool]:
        """Begin a task: what became of it, and whether the caller's key counts no more."""

        def find(known: bool) -> Caller:
            found = self._parts.authenticator.credentials.find_api_key(caller.credential.name, known=known)
            if found is None:
                raise KeyUnknown
            return replace(caller, credential=found)

        try:
            _, answer = self._runware.begin_first(task, find)
        except (KeyUnknown, LedgerUnavailable) as error:
            return refusal(error, task), isinstance(error, KeyUnknown)
        if isinstance(answer, Pending) and answer.is_result:
            uid = answer.uid
            self._sender.note(lambda session: self._sessions.owe(session, uid))
        return answer, False

    async def _await(self, pending: Pending, log: AnswerLog | None = None) -> None:
        """Wait for a task and send its result."""
        owed = pending.uid if pending.is_result else None
        self._waiting += 1
        try:
            task = await self._parts.ends.wait(pending.account, [pending.uid], pending.wait_seconds)
            is_over = True
        except TimeoutError:
            task, is_over = None, False
        finally:
            self._waiting -= 1

        def made() -> Frame | None:
            outcome = (pending.settle(task) if is_over else None) or pending.give_up()
            if log is not None:
                log.add(outcome)
            elif outcome.failed and not _is_done(task):
                return None
            return Frame.of(outcome, owed)

        await self._sender.send(made)

    async def _replay(self, opened: Opened, account: str) -> None:
        """Send what was not delivered, oldest first, and wait for what still runs."""
        for text in opened.frames:
            await self._sender.send(partial(Frame, text=text, is_kept=True))
        if not opened.owed:
            return
        try:
            found = await self._parts.sockets.in_thread(self._parts.tasks.find, account, opened.owed)
        except LedgerUnavailable as error:
            _LOG.warning("results_not_replayed", reason=str(error))
            return
        ended = [task for task in found if task is not None and task.ended_at_ms is not None]
        for task in sorted(ended, key=lambda task: task.ended_at_ms or 0):
            await self._await_owed(account, task.uid)
        for uid, owed in zip(opened.owed, found, strict=True):
            if owed is None:
                self._sender.forget(uid)
            elif owed.ended_at_ms is None:
                self._start(self._await_owed(account, uid))

    async def _await_owed(self, account: str, uid: TaskUid) -> None:
        rendering = self._runware.rendering

        def settle(task: Task | None) -> Outcome | None:
            if task is None:
                return None
            return guarded(rendering.echo(task), lambda: rendering.result(task, self._base_url))

        pending = Pending(
            account=account,
            uid=uid,
            wait_seconds=self._parts.settings.runware_sync_seconds,
            settle=settle,
            give_up=lambda: refusal(Refused("took_too_long"), {}),
            echo={},
        )
        try:
            await self._await(pending)
        except Exception:
            # The others are sent all the same, and this one is still owed.
            _LOG.exception("result_not_replayed", task_uid=uid)


def _is_done(task: Task | None) -> bool:
    return task is not None and all(item.state is ItemState.DONE for item in task.items)

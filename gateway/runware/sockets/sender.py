"""Sends frames on a WebSocket and accounts for what has not arrived."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from websockets.frames import CloseCode

from cutgate.gateway.runware.messages.errors import Refused, refusal
from cutgate.gateway.runware.messages.outcomes import JsonObject, Outcome
from cutgate.gateway.runware.sockets.sessions import Opened, Session, Sessions
from cutgate.gateway.sockets.connection import Connection
from cutgate.gateway.sockets.hub import Sockets
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import TaskUid

OVERSIZED_BYTES: Final = 2**20
"""One client refuses longer frames, with close code 1009."""
_LOG: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An answer as it is sent."""

    text: str = field(repr=False)
    failed: bool = False
    task: JsonObject = field(default_factory=dict, repr=False)
    """`taskType` and `taskUUID` of the task that it answers."""
    owed: TaskUid | None = None
    """The task whose result it is: it can be made anew from the task's record."""
    is_kept: bool = False
    """Whether the frame itself is kept for the session: it cannot be made anew."""

    @classmethod
    def of(cls, outcome: Outcome, owed: TaskUid | None = None, *, is_kept: bool = False) -> Frame:
        """The frame of an outcome."""
        return cls(
            text=_json(outcome.message()),
            failed=outcome.failed,
            task={name: outcome.item[name] for name in ("taskType", "taskUUID") if name in outcome.item},
            owed=owed,
            is_kept=is_kept and not outcome.failed,
        )

    @property
    def task_uuid(self) -> str:
        """Of the task that it answers, in lower case."""
        return str(self.task.get("taskUUID", "")).lower()


class Sender:
    """The outgoing half of a conversation. Used on the event loop, but for `note`."""

    def __init__(self, connection: Connection, sockets: Sockets, sessions: Sessions) -> None:
        self._connection = connection
        self._sockets = sockets
        self._sessions = sessions
        self._turn = asyncio.Lock()
        self._sent: deque[tuple[int, Frame]] = deque()
        self._oversized: set[str] = set()
        #: The connection's session, from its authentication on.
        self.session: Session | None = None

    def admit(self, opened: Opened) -> None:
        """Begin or resume a session."""
        self.session = opened.session
        self._oversized.update(opened.oversized)

    def send_now(self, message: JsonObject) -> None:
        """Send something short that nothing depends on, ahead of what waits."""
        self._connection.send(_json(message).encode())

    async def send(self, make: Callable[[], Frame | None]) -> None:
        """Send one frame, if any, when the peer has read what it was sent before.

        It is made late and in another thread, so that few frames wait in memory however many results there are.
        """
        async with self._turn:
            if not await self._connection.writable():
                return
            frame = await self._sockets.in_thread(make)
            if frame is None:
                return
            if len(frame.text) > OVERSIZED_BYTES and frame.task_uuid in self._oversized and not frame.failed:
                frame = Frame.of(refusal(Refused("result_too_large"), frame.task), frame.owed)
            if frame.is_kept:  # before it is sent: a caller may be back before its loss shows
                text = frame.text
                await self._sockets.in_thread(self.note, lambda session: self._sessions.keep(session, text))
            receipt = self._connection.send(frame.text.encode())
            if frame.failed:  # an error is sent once, whatever becomes of it
                self._settle([frame])
            else:
                self._sent.append((receipt, frame))

    def forget(self, owed: TaskUid) -> None:
        """Note that a result will not be sent."""
        self._settle([Frame(text="", owed=owed)])

    def delivered(self, receipt: int) -> None:
        """Note that the peer has read everything up to and with a receipt."""
        arrived = []
        while self._sent and self._sent[0][0] <= receipt:
            arrived.append(self._sent.popleft()[1])
        self._settle(arrived)

    def connection_lost(self, code: int) -> None:
        """Leave the session with what it is owed.

        A frame that the peer refused as too long is not owed, for it would be refused again.
        """
        left = [frame for _, frame in self._sent]
        refused = [
            frame for frame in left if code == CloseCode.MESSAGE_TOO_BIG and len(frame.text) > OVERSIZED_BYTES
        ]
        oversized = [frame.task_uuid for frame in refused]
        self._settle(refused)
        self._update(lambda session: self._sessions.leave(session, oversized))

    def _settle(self, frames: Sequence[Frame]) -> None:
        uids = [frame.owed for frame in frames if frame.owed is not None]
        texts = [frame.text for frame in frames if frame.is_kept]
        if uids or texts:
            self._update(lambda session: self._sessions.settle(session, uids, texts))

    def _update(self, move: Callable[[Session], None]) -> None:
        """Do a move on the session, beside everything else."""
        self._sockets.start(self._sockets.in_thread(self.note, move))

    def note(self, move: Callable[[Session], None]) -> None:
        """Do a move on the session, if there is one, in a thread that may block.

        Where it fails, a result is at worst sent again, or asked for with `getResponse`.
        """
        if self.session is not None:
            try:
                move(self.session)
            except LedgerUnavailable as error:
                _LOG.warning("session_not_kept", reason=str(error))


def _json(message: JsonObject) -> str:
    return json.dumps(message, separators=(",", ":"))

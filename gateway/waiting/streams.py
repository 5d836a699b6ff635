"""Answers that go on while tasks do: Server-Sent Events, each stream a coroutine of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Response
from typing_extensions import override

from cutgate.gateway.waiting.ends import read_apart
from cutgate.gateway.waiting.later import STREAM, Peer
from cutgate.jobs.answers import Progress
from cutgate.jobs.ids import TaskUid

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

EVENT_STREAM: Final = "text/event-stream"
KEEP_ALIVE_SECONDS: Final = 15.0
"""After so long without an event a comment is sent: proxies and clients give silent connections up."""
LOOK_SECONDS: Final = 1.0
"""How often it is looked how far tasks are, beside the moments when one ends."""
_GATHER_SECONDS: Final = 0.01
"""Questions of so short a time are asked together."""
_KEEP_ALIVE: Final = b": keep-alive\n\n"

FindProgress = Callable[[Sequence[TaskUid]], Awaitable[Mapping[TaskUid, Progress]]]


@dataclass(frozen=True, slots=True)
class Follow:
    """A caller's wish to be told how some of its tasks go on."""

    uids: Sequence[TaskUid]
    wait_seconds: float
    """How long at most."""
    show: Callable[[TaskUid, Progress | None], bytes]
    """Makes an event, on the event loop; of a task that is not there any more from None."""


class Streamed(Response):
    """An answer whose body comes from the event loop, part by part."""

    def __init__(self, parts: Callable[[Peer], AsyncGenerator[bytes, None]]) -> None:
        """Answer with events; `parts` makes them for the connection."""
        # A proxy that gathers answers would hold the events back.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(iter(()), mimetype=EVENT_STREAM, headers=headers)
        self._parts = parts

    @override
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[STREAM] = self._parts
        return super().__call__(environ, start_response)


class SharedProgress:
    """Reads how far tasks are, once for all streams that ask at about the same moment."""

    def __init__(self, find: FindProgress) -> None:
        """Prepare; `find` reads tasks of any account."""
        self._find = find
        self._asked: set[TaskUid] = set()
        self._reading: asyncio.Task[Mapping[TaskUid, Progress | None]] | None = None

    async def of(self, account: str, uids: Sequence[TaskUid]) -> dict[TaskUid, Progress | None]:
        """How far an account's tasks are; None for one that is not there. What cannot be read now is left out."""
        self._asked.update(uids)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_soon())
        found = await asyncio.shield(self._reading)
        own = {uid: found[uid] for uid in uids if uid in found}
        return {uid: said if said and said.task.account == account else None for uid, said in own.items()}

    async def _read_soon(self) -> Mapping[TaskUid, Progress | None]:
        await asyncio.sleep(_GATHER_SECONDS)
        uids, self._asked, self._reading = list(self._asked), set(), None
        return await read_apart(self._read, uids)

    async def _read(self, uids: Sequence[TaskUid]) -> dict[TaskUid, Progress | None]:
        found = await self._find(uids)
        return {uid: found.get(uid) for uid in uids}


async def events(
    follow: Follow,
    look: Callable[[Sequence[TaskUid]], Awaitable[Mapping[TaskUid, Progress | None]]],
    ended: Callable[[Sequence[TaskUid]], Awaitable[object]],
    over: asyncio.Future[Any],
) -> AsyncGenerator[bytes, None]:
    """An event for each task as it stands, and on each change, until all have ended, or the time or all is over.

    Args:
        follow: what the caller wants to know.
        look: reads how far tasks are.
        ended: returns when the first of some tasks has ended.
        over: is done when nobody listens any more.
    """
    loop = asyncio.get_running_loop()
    said_at = loop.time()
    until = said_at + follow.wait_seconds
    left: dict[TaskUid, Progress | None] = dict.fromkeys(follow.uids)
    end: asyncio.Future[Any] | None = None
    try:
        while True:
            if news := _news(follow, left, await look([*left])):
                said_at = loop.time()
                yield news
            now = loop.time()
            if not left or over.done() or now >= until:
                return
            if now - said_at >= KEEP_ALIVE_SECONDS:
                said_at = now
                yield _KEEP_ALIVE
            if end is None or end.done():
                end = asyncio.ensure_future(ended([*left]))
            # All streams look at the same moments, so that one read serves them.
            pause_seconds = min(until - now, LOOK_SECONDS - now % LOOK_SECONDS)
            await asyncio.wait({end, over}, timeout=pause_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if end is not None:
            end.cancel()


def _news(follow: Follow, left: dict[TaskUid, Progress | None], found: Mapping[TaskUid, Progress | None]) -> bytes:
    """Events of tasks that stand otherwise than `left` knows, which then knows them; ended ones leave it."""
    shown = b""
    for uid, progress in found.items():
        if progress is None or progress != left[uid]:
            shown += follow.show(uid, progress)
        left[uid] = progress
        if progress is None or progress.task.ended_at_ms is not None:
            del left[uid]
    return shown

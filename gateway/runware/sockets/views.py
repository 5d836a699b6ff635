"""The protocol over WebSockets: upgrades on `/v1` and `/`, whatever their query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from flask import Response, request
from websockets.frames import CloseCode

from cutgate.gateway.runware.authentication import Gatekeeper
from cutgate.gateway.runware.http.views import PATH
from cutgate.gateway.runware.sockets.conversation import Conversation
from cutgate.gateway.runware.sockets.sessions import RENEW_SECONDS, Sessions
from cutgate.gateway.runware.sockets.shared import LARGE_AT_ONCE, House
from cutgate.gateway.runware.tasks.table import RunwareTasks
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.sockets.connection import Connection
from cutgate.gateway.sockets.endings import Endings
from cutgate.gateway.sockets.handover import Handover
from cutgate.gateway.sockets.hub import Sockets
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.record import Task

_PATHS: Final = (PATH, "/")
_LOG: Final = structlog.get_logger()


@dataclass(kw_only=True)
class RunwareSockets:
    """The façade over WebSockets."""

    settings: GatewaySettings
    gatekeeper: Gatekeeper
    tasks: RunwareTasks
    sessions: Sessions
    events: TaskEvents
    sockets: Sockets
    _house: House | None = field(default=None, init=False)
    _conversations: set[Conversation] = field(default_factory=set, init=False)

    def upgrade(self) -> Response | None:
        """Take the connection over where a request asks for a WebSocket. For `Flask.before_request`.

        Rules of the routing's own would add GET to what `/` allows, which takes POST alone.
        """
        wanted = request.headers.get("Upgrade", "").lower()
        if request.method != "GET" or request.path not in _PATHS or wanted != "websocket":
            return None
        base_url = self.settings.public_url or request.host_url.rstrip("/")
        begin = partial(self._begin, address=request.remote_addr, base_url=base_url)
        return Handover(request.environ, partial(self.sockets.take, begin=begin))

    def _begin(self, connection: Connection, *, address: str | None, base_url: str) -> Conversation:
        """A conversation, in the sockets' thread."""
        if self._house is None:
            self._house = self._new_house()
            self.sockets.start(self._renew_on(), lasting=True)
        conversation = Conversation(
            connection, self._house, address=address, base_url=base_url, over=self._conversations.discard
        )
        self._conversations.add(conversation)
        return conversation

    def _new_house(self) -> House:
        tasks = self.tasks.services.tasks

        async def find(account: str, uids: Sequence[TaskUid]) -> tuple[Task | None, ...]:
            return await self.sockets.in_thread(tasks.find, account, uids)

        return House(
            sockets=self.sockets,
            endings=Endings(find, self.events),
            gatekeeper=self.gatekeeper,
            runware=self.tasks,
            sessions=self.sessions,
            tasks=tasks,
            large=asyncio.Semaphore(LARGE_AT_ONCE),
            calls=self.settings.socket_calls,
            max_tasks=self.settings.max_runware_tasks,
        )

    async def _renew_on(self) -> None:
        """Keep the sessions of connections that live, and end those whose session was resumed elsewhere."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = [(talk, talk.session) for talk in self._conversations if talk.session is not None]
            try:
                renewed = await self.sockets.in_thread(self.sessions.renew, [session for _, session in held])
            except LedgerUnavailable as error:
                _LOG.warning("sessions_not_renewed", reason=str(error))
                continue
            for (talk, _), is_held in zip(held, renewed, strict=True):
                if not is_held:
                    talk.connection.close(CloseCode.NORMAL_CLOSURE, "resumed by another connection")

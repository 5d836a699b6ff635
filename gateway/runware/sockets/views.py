"""The protocol over WebSockets: upgrades on `/v1` and `/`, whatever their query."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from flask import Response, request
from websockets.frames import CloseCode

from cutgate.gateway.http_headers import bearer_key
from cutgate.gateway.runware.http.views import PATH
from cutgate.gateway.runware.sockets.conversation import Conversation
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.gateway.sockets.connection import Connection
from cutgate.gateway.sockets.upgrade import upgrade
from cutgate.jobs.errors import LedgerUnavailable

_PATHS: Final = (PATH, f"{PATH}/", "/")
_LARGE_AT_ONCE: Final = 2
"""Large messages that are read at a time, over all connections: one costs several times its size meanwhile."""
_LOG: Final = structlog.get_logger(__name__)


@dataclass
class RunwareSockets:
    """The façade over WebSockets."""

    tasks: RunwareTasks
    sessions: Sessions
    _conversations: set[Conversation] = field(default_factory=set, init=False)
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LARGE_AT_ONCE), init=False)
    _is_renewing: bool = field(default=False, init=False)

    def upgrade(self) -> Response | None:
        """Take the connection over where a request asks for a WebSocket. For `Flask.before_request`.

        Rules of the routing's own would add GET to what `/` allows, which takes POST alone.
        """
        if request.method != "GET" or request.path not in _PATHS:
            return None
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return None
        parts = self.tasks.parts
        parts.authenticator.check_address(bearer_key(), request.remote_addr)
        base_url = parts.settings.public_url or request.host_url.rstrip("/")
        begin = partial(self._begin, address=request.remote_addr, base_url=base_url)
        take = partial(parts.sockets.take, begin=begin, address=request.remote_addr)
        return upgrade(request.environ, take)

    def _begin(self, connection: Connection, *, address: str | None, base_url: str) -> Conversation:
        """A conversation, on the event loop; from the first one on sessions are renewed."""
        if not self._is_renewing:
            self._is_renewing = True
            self.tasks.parts.sockets.start(self._renew_on(), lasting=True)
        conversation = Conversation(
            connection,
            self.tasks,
            self.sessions,
            self._large,
            address=address,
            base_url=base_url,
            over=self._conversations.discard,
        )
        self._conversations.add(conversation)
        return conversation

    async def _renew_on(self) -> None:
        """Keep the sessions of connections that live, and end those whose session was resumed elsewhere."""
        while True:
            await asyncio.sleep(self.sessions.renew_seconds)
            held = [
                (conversation, conversation.session)
                for conversation in self._conversations
                if conversation.session
            ]
            try:
                renewed = await self.tasks.parts.sockets.in_thread(
                    self.sessions.renew, [session for _, session in held]
                )
            except LedgerUnavailable as error:
                _LOG.warning("sessions_not_renewed", reason=str(error))
                continue
            for (conversation, _), is_held in zip(held, renewed, strict=True):
                if not is_held:
                    conversation.connection.close(CloseCode.NORMAL_CLOSURE, "resumed by another connection")

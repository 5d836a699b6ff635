"""The Flask application on the event loop: bodies come and answers leave there, and views run in threads.

A request thread is taken when a small body has come whole, and never waits for a peer. A large body is received
once the view that reads it has been called with the head alone, and could refuse: then it is called again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, Any, Final

import structlog
from werkzeug.exceptions import RequestTimeout

from cutgate.gateway.addresses import subscriber
from cutgate.gateway.bodies import BODY, BodyWanted, Inbox, Spool, Unread, is_small
from cutgate.gateway.serving.peers import PEER, PeerProtocol, Phase
from cutgate.gateway.serving.wsgi_call import EMPTY, Answer, environ_of, said
from cutgate.gateway.waiting.later import AT_END, UNDONE
from cutgate.jobs.errors import ServiceUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

FIRST_BYTES: Final = 2**16
"""The longest body that is received before its request is looked at."""
LARGE_THREADS: Final = 4
"""Threads for requests with large bodies, which wait for room and would keep others waiting."""
_PROBE: Final = "/healthz"
_LOG: Final = structlog.get_logger(__name__)


class _PeerGone(Exception):
    """The peer hung up before its request had come."""


class Bridge:
    """An ASGI application that runs a WSGI one. Supervisors' probes have a thread of their own."""

    def __init__(self, app: WSGIApplication, inbox: Inbox, *, threads: int, most_body_bytes: int) -> None:
        """Put it in front of an application; `most_body_bytes` is received where the view names no limit."""
        self._app, self._inbox, self._most_body_bytes = app, inbox, most_body_bytes
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._large = ThreadPoolExecutor(LARGE_THREADS, thread_name_prefix="large")
        self._probes = ThreadPoolExecutor(1, thread_name_prefix="probe")

    def close(self) -> None:
        """End the threads that have nothing to do, and the others when they are done."""
        for pool in (self._threads, self._large, self._probes):
            pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request."""
        peer: PeerProtocol = scope[PEER]  # type: ignore[typeddict-item]
        environ = environ_of(scope)
        told_bytes = int(environ.get("CONTENT_LENGTH") or 0)
        spool: Spool | None = None
        if told_bytes or "HTTP_TRANSFER_ENCODING" in environ:
            spool = Spool(self._inbox, _client_of(peer, environ), told_bytes, peer.drop_for_room)
        try:
            with ExitStack() as at_end:
                environ[AT_END] = at_end
                if spool is not None:
                    at_end.callback(spool.close)
                    if 0 < told_bytes <= FIRST_BYTES and "HTTP_EXPECT" not in environ:
                        await self._receive(peer, receive, spool, FIRST_BYTES)
                answer = await self._answered(peer, receive, environ, spool)
                if answer is not None:
                    await self._send(peer, send, answer, is_last=spool is not None and not spool.is_whole)
        except Exception as error:
            # uvloop writes to nobody who has just gone; uvicorn hears of that on the loop's next turn.
            is_closing = peer.phase is Phase.CLOSING
            if isinstance(error, _PeerGone) or (isinstance(error, RuntimeError) and (is_closing or peer.is_lost)):
                if not is_closing:  # else it has an answer, which it may still read
                    peer.drop()
                return
            _LOG.exception("request_not_answered")
            peer.fail()

    async def _answered(
        self, peer: PeerProtocol, receive: ASGIReceiveCallable, environ: WSGIEnvironment, spool: Spool | None
    ) -> Answer | None:
        """The answer; None where somebody else gives it."""
        answer = await self._call(peer, self._app, environ, spool)
        if isinstance(answer, BodyWanted):
            assert spool is not None
            await self._receive(peer, receive, spool, answer.limit_bytes or self._most_body_bytes)
            answer = await self._call(peer, self._app, environ, spool)
        if (undone := environ.pop(UNDONE, None)) is None:
            assert isinstance(answer, Answer)
            if answer.stream is not None and spool is not None:
                spool.close()
            return answer
        if spool is not None:
            spool.close()
            environ.pop(BODY, None)
        app = await undone.go_on(peer)
        if app is None:
            return None
        made = await self._call(peer, app, environ, None)
        assert isinstance(made, Answer)
        return made

    async def _call(
        self, peer: PeerProtocol, app: WSGIApplication, environ: WSGIEnvironment, spool: Spool | None
    ) -> Answer | BodyWanted:
        """What an application says in a request thread."""
        peer.begin(Phase.WORK)
        environ["wsgi.input"] = EMPTY
        pool: Executor = self._probes if environ["PATH_INFO"] == _PROBE and spool is None else self._threads
        if spool is not None:
            environ[BODY] = spool
            environ["wsgi.input"] = spool.open() if spool.is_whole else Unread(spool)
            if spool.is_whole and not is_small(spool.size_bytes):
                pool = self._large
        return await asyncio.get_running_loop().run_in_executor(pool, said, app, environ)

    async def _receive(
        self, peer: PeerProtocol, receive: ASGIReceiveCallable, spool: Spool, most_bytes: int
    ) -> None:
        """Receive a body, or note in it what is in the way of that."""
        peer.begin(Phase.BODY)
        try:
            while not spool.is_whole and spool.size_bytes <= most_bytes:
                if not self._inbox.may_go_on(spool):
                    peer.flow.pause_reading()  # until the next `receive`
                    await self._inbox.turn(spool)
                message = await receive()
                if message["type"] != "http.request":
                    raise _PeerGone
                spool.add(message["body"])
                spool.is_whole = not message["more_body"]
                if peer.is_too_slow and not spool.is_whole:
                    spool.fault = RequestTimeout()
                    return
        except ServiceUnavailable as error:
            spool.fault = error

    async def _send(self, peer: PeerProtocol, send: ASGISendCallable, answer: Answer, *, is_last: bool) -> None:
        """Send an answer; after the last one of a connection what still comes is thrown away."""
        peer.begin(Phase.ANSWER)
        try:
            if is_last:
                answer.headers.append((b"connection", b"close"))
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            peer.moved_bytes += len(answer.first)
            if answer.stream is not None:
                await self._send_stream(peer, send, answer.stream(peer))
            has_more = answer.parts is not None
            await send({"type": "http.response.body", "body": answer.first, "more_body": has_more or is_last})
            while answer.parts is not None and not peer.is_lost:
                part = await asyncio.get_running_loop().run_in_executor(self._threads, next, answer.parts, b"")
                peer.moved_bytes += len(part)
                await send({"type": "http.response.body", "body": part, "more_body": bool(part) or is_last})
                if not part:
                    break
        finally:
            answer.close()
        if is_last:
            peer.close_gently()

    @staticmethod
    async def _send_stream(peer: PeerProtocol, send: ASGISendCallable, parts: AsyncGenerator[bytes, None]) -> None:
        """Send parts as they come. In between the caller waits, and its connection gives way to no other."""
        async with aclosing(parts):
            peer.begin(Phase.WORK)
            async for part in parts:
                if peer.is_lost:
                    break
                peer.begin(Phase.ANSWER)
                peer.moved_bytes += len(part)
                await send({"type": "http.response.body", "body": part, "more_body": True})
                peer.begin(Phase.WORK)
        peer.begin(Phase.ANSWER)


def _client_of(peer: PeerProtocol, environ: Mapping[str, Any]) -> str | None:
    """What the client of a request is counted as, also behind a proxy that names it."""
    forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
    return subscriber(forwarded.rpartition(",")[2].strip()) if peer.address is None and forwarded else peer.address

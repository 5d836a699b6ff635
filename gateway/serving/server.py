"""uvicorn, set up from the settings: one process that serves, or several under one that starts them again."""

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
import uvicorn
from flask import Flask
from typing_extensions import override

from cutgate.gateway.bodies import Inbox
from cutgate.gateway.serving import wsgi
from cutgate.gateway.serving.app import PARTS
from cutgate.gateway.serving.bridge import Bridge
from cutgate.gateway.serving.peers import PeerProtocol, Peers
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.parts import Parts
from cutgate.jobs.observe.metrics import process_gone

KEEP_ALIVE_SECONDS: Final = 30
"""An idle connection costs no thread, and a poller's next call finds it open."""
_CLOSE_SECONDS: Final = 2
"""Of the time to stop, what WebSockets and callers that are still there have for their end."""
_OTHER_FILES: Final = 512
"""Files that are open beside connections, generously: pictures, the log, connections to the ledger."""
_BODIES: Final = 16
"""So many of the largest bodies may lie on disk while they arrive."""
_BACKLOG: Final = 2_048
_UNSENT_BYTES: Final = 2**17
"""What the system takes of an answer ahead of what the peer is ready for."""
_SWITCH_SECONDS: Final = 0.001
"""After so long a thread lets others run Python: the event loop is one of them, and waits for each event."""
_STAY_SECONDS: Final = 3.0
_LET_LOOSE_SECONDS: Final = 0.5
_LOG: Final = structlog.get_logger(__name__)


def allow_open_files(settings: GatewaySettings) -> None:
    """Let a process open a file for each connection and for its body, up to the hard limit of the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.connections + settings.held_callers + settings.sockets + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def serve_all(settings: GatewaySettings, addresses: Sequence[tuple[str, int]]) -> None:
    """Serve at some addresses until a signal says to stop, with so many processes as the settings say.

    Raises:
        OSError: an address is taken, or is not this machine's.
    """
    allow_open_files(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with ExitStack() as until_the_end:
        sockets = [until_the_end.enter_context(_listening(host, port)) for host, port in addresses]

        def serve(number: int) -> None:
            with wsgi.app(settings) as app:
                GatewayServer(app, settings, number).run(sockets)

        if settings.processes == 1:
            serve(0)
        else:
            Siblings(settings.processes, serve, process_gone).run()


def _listening(host: str, port: int) -> socket.socket:
    is_ipv6 = ":" in host
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Else the system copies megabytes of an answer for a peer that reads none of it. Connections inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    _LOG.info("listening", url=f"http://{f'[{host}]' if is_ipv6 else host}:{listener.getsockname()[1]}")
    return listener


class GatewayServer(uvicorn.Server):
    """One process that serves."""

    def __init__(self, app: Flask, settings: GatewaySettings, number: int | None = None) -> None:
        """Prepare to serve an application; `number` tells the process, which has no other work, from siblings."""
        self._settings, self._number = settings, number
        parts: Parts = app.extensions[PARTS]
        self._sockets, self._waiting = parts.sockets, parts.waiting
        self._peers = Peers(settings)
        inbox = Inbox(_BODIES * settings.max_body_bytes)
        self._bridge = Bridge(
            app, inbox, threads=settings.request_threads, most_body_bytes=settings.max_batch_body_bytes
        )
        super().__init__(
            uvicorn.Config(
                self._bridge,
                http=partial(PeerProtocol, self._peers),  # type: ignore[arg-type]
                ws="none",  # an upgrade is a request like any other until its answer
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                # Whose forwarded headers count is this package's setting: see gateway/serving/proxies.py.
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._watchers = [asyncio.create_task(self._peers.watch())]
        if self._number is not None:
            staying = stay_on_a_processor(self._number, self._settings.processes)
            self._watchers.append(asyncio.create_task(staying))

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, and answer what there is; WebSockets and callers that wait have until shortly before."""
        stop_at = asyncio.get_running_loop().time() + max(0, self._settings.shutdown_seconds - _CLOSE_SECONDS)
        self._waiting.stop(stop_at)
        closing = asyncio.create_task(self._sockets.close(stop_at))
        await super().shutdown(sockets)
        await closing
        for watcher in self._watchers:
            watcher.cancel()
        self._bridge.close()
        self._sockets.end()

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and do not raise it anew: a process that stops in order has not failed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for stop in _STOPS:
            signal.signal(stop, self.handle_exit)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        yield


_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Siblings:
    """Processes that serve the same addresses; one that ends is followed by another."""

    def __init__(self, count: int, serve: Callable[[int], None], gone: Callable[[int], None]) -> None:
        """Prepare so many; each does `serve` with its number, and `gone` takes the id of one that has ended."""
        self._count, self._serve, self._gone = count, serve, gone
        self._numbers: dict[int, int] = {}
        self._is_stopping = False

    def run(self) -> None:
        """Have them serve until a signal says to stop, and all have stopped."""
        for stop in _STOPS:
            signal.signal(stop, self._stop)
        for number in range(self._count):
            self._start(number)
        while self._numbers:
            pid, status = os.wait()
            number = self._numbers.pop(pid)
            self._gone(pid)
            if not self._is_stopping:
                _LOG.error("gateway_process_ended", pid=pid, status=status)
                self._start(number)

    def _start(self, number: int) -> None:
        # Until a child handles signals itself it would only note them for its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            pid = os.fork()
            if not pid:
                self._be_child(number)
            self._numbers[pid] = number
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

    def _be_child(self, number: int) -> None:
        status = 1
        try:
            self._serve(number)
            status = 0
        except BaseException:
            _LOG.exception("gateway_process_failed")
        finally:
            os._exit(status)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._is_stopping = True
        for pid in self._numbers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if number == signal.SIGQUIT else number)


async def stay_on_a_processor(number: int, count: int) -> None:
    """Keep the threads of this process on one processor: only one at a time runs Python, in warm caches there.

    Which one, the system decides: now and then the loop's thread may run on all that this process has, and the
    others follow it. Processes of one gateway have different ones, as long as there are enough.
    """
    if not hasattr(os, "sched_getaffinity"):
        return
    every = sorted(os.sched_getaffinity(0))
    own = every[number::count] or [every[number % len(every)]]
    while len(every) > 1:
        with suppress(OSError):  # the system forbids it, or a thread has ended
            os.sched_setaffinity(0, own)
            await asyncio.sleep(_LET_LOOSE_SECONDS)
            _, _, fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")
            here = {int(fields.split()[36])}  # field 39 of proc_pid_stat(5)
            for thread in threading.enumerate():
                # What large bodies need most runs without the interpreter.
                if thread.native_id is not None and not thread.name.startswith("large"):
                    os.sched_setaffinity(thread.native_id, here)
        await asyncio.sleep(_STAY_SECONDS)

"""gunicorn with request threads, set up from the settings.

What is not even HTTP never reaches the application; it is answered in JSON all the same.
"""

import resource
import signal
from http import HTTPStatus
from socket import socket
from types import FrameType
from typing import Any, Final

from flask import Flask
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from typing_extensions import override

from cutgate.gateway.serving import wsgi
from cutgate.gateway.serving.app import SOCKETS
from cutgate.gateway.serving.outside import answer_outside
from cutgate.gateway.serving.worker import PolledWorker
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.observe import logs

_CLOSE_SECONDS: Final = 2
"""Of the time to stop, what WebSockets that are still busy have for being closed."""
_OTHER_FILES: Final = 512
"""Files that are open beside connections, generously: pictures, the log, connections to the ledger."""
KEEP_ALIVE_SECONDS: Final = 30
"""An idle connection costs no thread, and a poller's next call finds it open."""


def gunicorn_options(settings: GatewaySettings, host: str, port: int) -> dict[str, Any]:
    """Settings as gunicorn names them."""
    addresses = [(host, port)]
    if settings.metrics_port is not None:
        addresses.append((settings.metrics_host, settings.metrics_port))
    return {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in addresses],
        "worker_class": JsonErrorWorker,
        "workers": settings.processes,
        # Those that receive bodies take none from other requests.
        "threads": settings.request_threads + settings.receiving_threads,
        "worker_connections": settings.connections,
        "graceful_timeout": settings.shutdown_seconds,
        "keepalive": KEEP_ALIVE_SECONDS,
        # The control socket would lie in the user's home, which need not be writable.
        "control_socket_disable": True,
        # Whose forwarded headers count is this package's setting: see gateway/serving/proxies.py.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "logger_class": _Log,
        "logconfig_dict": {
            **logs.logging_config(settings.log_format, settings.log_level),
            "loggers": {"gunicorn.error": {"propagate": True}},
        },
        "proc_name": "cutgate-gateway",
    }


def allow_open_files(settings: GatewaySettings) -> None:
    """Let a process open a file for each connection and for its answer, up to the hard limit of the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (settings.connections + settings.held_callers) + settings.sockets + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _Log(Logger):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's log without its lines of requests: the application has its own.

    With a `logconfig_dict` gunicorn would put each line together, for no handler.
    """

    access_log_enabled = False


class JsonErrorWorker(PolledWorker):
    """The worker, without gunicorn's pages in HTML, and with WebSockets."""

    wsgi: Flask | None = None
    """The application; a signal may come before it is loaded."""

    @override
    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, WebSockets at the same time as requests."""
        super().handle_exit(sig, frame)
        self._stop_sockets()

    @override
    def run(self) -> None:
        """Serve until a signal says to stop; then until requests and WebSockets are over."""
        super().run()
        self._stop_sockets()  # not every end begins with a signal
        if self.wsgi is not None:
            self.wsgi.extensions[SOCKETS].close(self.cfg.graceful_timeout)

    @override
    def handle_error(self, req: object, client: socket, addr: tuple[str, int] | None, exc: Exception) -> None:
        """Answer what went wrong outside of the application: a broken request, mostly."""
        if isinstance(exc, ParseException) and not isinstance(exc, _OURS):
            status = _STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
            self.log.warning("broken request: %s", type(exc).__name__)
            answer = answer_outside(status)
        else:
            self.log.exception("a request was not answered")
            answer = answer_outside(HTTPStatus.INTERNAL_SERVER_ERROR)
        try:
            util.write_nonblock(client, answer)
        except OSError:
            self.log.debug("the caller of a broken request is gone")

    def _stop_sockets(self) -> None:
        if self.wsgi is not None:
            self.wsgi.extensions[SOCKETS].stop(max(0.0, self.cfg.graceful_timeout - _CLOSE_SECONDS))


_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_OURS: Final = (InvalidResponseHeader, InvalidResponseHeaderName)
"""Among gunicorn's errors of parsing, those that are about the answer."""
_STATUSES: Final = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}


class GatewayServer(BaseApplication):  # type: ignore[misc]  # gunicorn publishes no types
    """One gunicorn master; each of its workers builds the application for itself."""

    def __init__(self, options: dict[str, Any], settings: GatewaySettings) -> None:
        """Keep gunicorn's options, by gunicorn's names, and what its worker has no options for."""
        self._options = options
        self.settings = settings
        super().__init__()

    @override
    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    @override
    def load(self) -> Flask:
        return wsgi.app()

    @override
    def run(self) -> None:
        _Arbiter(self).run()


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn publishes no types
    """gunicorn's master, whose workers do not lose a signal to stop that comes before they handle it."""

    @override
    def spawn_worker(self) -> int:
        # Between its fork and `init_signals` a worker has the master's handlers, which only note a signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            pid: int = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        return pid

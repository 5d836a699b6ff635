"""gunicorn with request threads, set up from the settings."""

from __future__ import annotations

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from typing_extensions import override

from gateway import wsgi
from gateway.settings import GatewaySettings
from jobs import logs

KEEP_ALIVE_SECONDS = 30
"""An idle connection costs no thread, and a poller's next call finds it open."""


def gunicorn_options(settings: GatewaySettings, host: str, port: int) -> dict[str, Any]:
    """Settings as gunicorn names them."""
    return {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "worker_class": "gthread",
        "workers": settings.processes,
        "threads": settings.request_threads,
        "graceful_timeout": settings.shutdown_seconds,
        "keepalive": KEEP_ALIVE_SECONDS,
        # The control socket would lie in the user's home, which need not be writable.
        "control_socket_disable": True,
        # Whose forwarded headers count is this package's setting: see gateway/proxies.py.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        # The application logs its requests itself.
        "accesslog": None,
        "logconfig_dict": {
            **logs.logging_config(settings.log_format, settings.log_level),
            "loggers": {"gunicorn.error": {"propagate": True}},
        },
        "proc_name": "keycut-gateway",
    }


class GatewayServer(BaseApplication):  # type: ignore[misc]  # gunicorn publishes no types
    """One gunicorn master; each of its workers builds the application for itself."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Keep gunicorn's options, by gunicorn's names."""
        self._options = options
        super().__init__()

    @override
    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    @override
    def load(self) -> Flask:
        return wsgi.app()

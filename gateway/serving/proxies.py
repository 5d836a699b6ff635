"""`X-Forwarded-*` headers count only when a trusted proxy sent them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from cutgate.gateway.settings import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class TrustedProxies:
    """WSGI middleware: a request from a trusted peer goes through werkzeug's `ProxyFix`, any other as it is."""

    def __init__(self, app: WSGIApplication, networks: Sequence[Network]) -> None:
        """Wrap an application; `networks` are the peers that are believed."""
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._networks = tuple(networks)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        app = self._forwarded if is_within(environ.get("REMOTE_ADDR", ""), self._networks) else self._direct
        return app(environ, start_response)


def is_within(peer: str, networks: Sequence[Network]) -> bool:
    """Whether a peer's address lies in one of some networks."""
    if not networks:
        return False
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)

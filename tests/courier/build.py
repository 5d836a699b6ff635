"""What the courier's tests build."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx

from cutgate.courier.addresses import OutsideRules
from cutgate.courier.connection import Outside, Resolve, system_resolve
from cutgate.courier.fetch import Fetcher
from cutgate.courier.settings import CourierSettings
from tests.gateway.harness import MASTER_KEY

MAX_BYTES = 200_000


def make_settings(**changes: Any) -> CourierSettings:
    """Settings that do not depend on the environment's."""
    return CourierSettings(master_key=MASTER_KEY, **changes)


@functools.cache
def usual_tls() -> ssl.SSLContext:
    """What knows the usual authorities; made once, for reading them all takes long."""
    return httpx.create_ssl_context()


def make_fetcher(
    ports: Sequence[int],
    allowed: Sequence[str] = (),
    *,
    resolve: Resolve = system_resolve,
    authority: Path | None = None,
    total_seconds: float = 10,
    read_seconds: float = 5,
) -> Fetcher:
    """A fetcher as the settings' defaults say, but for ports, limits and networks that are no public ones."""
    settings = make_settings()
    tls = usual_tls()
    if authority is not None:
        tls = httpx.create_ssl_context()
        tls.load_verify_locations(authority)
    outside = Outside(
        rules=OutsideRules(ports=frozenset(ports), allowed=tuple(map(ip_network, allowed))),
        connect_seconds=2,
        read_seconds=read_seconds,
        tls=tls,
        resolve=resolve,
    )
    return Fetcher(
        outside=outside,
        max_bytes=MAX_BYTES,
        max_redirects=settings.courier_redirects,
        media_types=settings.courier_media_types,
        total_seconds=total_seconds,
    )

"""The courier as a process: real parts, put together from the settings."""

import os
import secrets
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from functools import partial
from typing import Final

import httpx
import structlog
from redis import Redis

from cutgate.courier.addresses import OutsideRules
from cutgate.courier.connection import READ_SECONDS, Outside
from cutgate.courier.deliver import Deliveries, Renderer, SecretOf
from cutgate.courier.errands import ErrandRunner
from cutgate.courier.fetch import MEMORY_BYTES, Fetcher, MemoryBudget
from cutgate.courier.loop import Courier
from cutgate.courier.presence import CourierPresence
from cutgate.courier.settings import CourierSettings
from cutgate.jobs.answers import owner_name
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.ledger.events import ErrandEvents
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import metrics, traces
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.observe.metric_names import Part
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.upkeep.background import WATCH_SECONDS, watch_server
from cutgate.jobs.upkeep.loops import Every
from cutgate.stopping import setter

log: Final = structlog.get_logger(__name__)

TOTAL_SECONDS: Final = 60.0
"""Timeout of an errand: it has to end before its lease does."""


def run(settings: CourierSettings, client: Redis, renderers: Mapping[str, Renderer], secret_of: SecretOf) -> None:
    """Run a courier in this process until SIGTERM or SIGINT; `renderers` are by the tasks' origin."""
    traces.start(settings, Part.COURIER)
    stop = threading.Event()
    leave = setter(stop)
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: leave())
    store, redis_url = Ledger(client, settings.ledger_limits()), settings.redis_url.get_secret_value()
    runner = make_runner(
        settings,
        store=store,
        blobs=open_blob_store(settings),
        renderers=renderers,
        secret_of=secret_of,
        # Authorities of `certifi`, or those that SSL_CERT_FILE or SSL_CERT_DIR names.
        tls=httpx.create_ssl_context(),
    )
    host, process = socket.gethostname(), f"courier{os.getpid()}.{secrets.token_hex(4)}"
    metrics.begin(Part.COURIER)
    try:
        with (
            metrics.served(settings.metrics_host, settings.courier_metrics_port),
            ErrandEvents(redis_url) as events,
            Every(WATCH_SECONDS, partial(watch_server, store), "server"),
        ):
            Courier(
                store=store,
                events=events,
                runner=runner,
                presence=CourierPresence(client, host, process, alive_file=AliveFile(settings.alive_file)),
                owner=owner_name(host, process),
                errands=settings.courier_errands,
                stop_seconds=settings.courier_stop_seconds,
            ).run(stop)
    except metrics.PortUnavailable as error:
        log.error("courier_cannot_start", reason=str(error))  # noqa: TRY400 — the text says it all
        sys.exit(1)


def make_runner(
    settings: CourierSettings,
    *,
    store: Ledger,
    blobs: BlobStore,
    renderers: Mapping[str, Renderer],
    secret_of: SecretOf,
    tls: ssl.SSLContext,
    read_seconds: float = READ_SECONDS,
) -> ErrandRunner:
    """What runs errands, as the settings say."""
    outside = Outside(
        rules=OutsideRules(
            ports=frozenset(settings.courier_ports),
            allowed=settings.courier_allowed_networks,
            refused=settings.courier_refused_networks,
        ),
        tls=tls,
        read_seconds=read_seconds,
    )
    return ErrandRunner(
        store=store,
        blobs=blobs,
        fetcher=Fetcher(
            outside=outside,
            max_bytes=settings.max_source_bytes,
            total_seconds=TOTAL_SECONDS,
            memory=MemoryBudget(max(MEMORY_BYTES, settings.max_source_bytes)),
        ),
        deliveries=Deliveries(
            outside=outside,
            store=store,
            blobs=blobs,
            renderers=renderers,
            secret_of=secret_of,
            total_seconds=TOTAL_SECONDS,
        ),
        limits=settings.source_limits(),
        delivery_seconds=settings.courier_delivery_seconds,
    )

"""The WSGI entry point: settings from the environment, and the real parts."""

from __future__ import annotations

import atexit
from contextlib import ExitStack

from flask import Flask
from redis import Redis

from gateway.accounts import Accounts
from gateway.app import create_app
from gateway.keytables import RedisKeyTable
from gateway.limits import RequestLimits, redis_storage
from gateway.metrics import LedgerCollector, MetricsPort
from gateway.runware.redis_sessions import RedisSessions
from gateway.settings import GatewaySettings
from jobs import logs, traces
from jobs.background import upkeep_threads
from jobs.blobs import BlobStore
from jobs.blobstores.choose import open_blob_store
from jobs.metric_names import Part
from jobs.queue import JobQueue
from jobs.queues.celery import CeleryQueue
from jobs.store import LedgerStore
from jobs.stores.client import connect
from jobs.stores.redis import RedisLedger
from jobs.stores.redis_events import RedisTaskEvents
from jobs.stores.redis_presence import RedisPresence


def connect_ledger(settings: GatewaySettings) -> Redis:
    """A client of the ledger's server that gives up soon enough for a caller to wait."""
    return connect(
        settings.redis_url.get_secret_value(),
        connect_timeout_seconds=settings.redis_timeout_seconds,
        socket_timeout_seconds=settings.redis_timeout_seconds,
    )


def app() -> Flask:
    """The gateway on the real parts."""
    settings = GatewaySettings()
    logs.configure(settings.log_format, settings.log_level)
    traces.start(settings, Part.GATEWAY, of_callers=True)
    client = connect_ledger(settings)
    store = RedisLedger(client, settings.ledger_limits())
    blobs = open_blob_store(settings)
    queue = CeleryQueue(settings.redis_url.get_secret_value())
    keep_in_order(settings, store, blobs, queue)
    presence = RedisPresence(client)
    made = create_app(
        settings,
        accounts=Accounts(RedisKeyTable(client), settings.master_key_bytes()),
        limits=RequestLimits(redis_storage(client), settings),
        store=store,
        events=RedisTaskEvents(settings.redis_url.get_secret_value()),
        presence=presence,
        blobs=blobs,
        queue=queue,
        sessions=RedisSessions(client, keep_seconds=settings.session_seconds),
    )
    if settings.metrics_port is not None:
        figures = LedgerCollector(store=store, presence=presence)
        made.wsgi_app = MetricsPort(made.wsgi_app, settings.metrics_port, figures)  # type: ignore[method-assign]
    return made


def keep_in_order(settings: GatewaySettings, store: LedgerStore, blobs: BlobStore, queue: JobQueue) -> None:
    """Do the upkeep for as long as this process lives: there may be no worker that does it."""
    threads = ExitStack()
    threads.enter_context(upkeep_threads(settings, store, blobs, queue))
    atexit.register(threads.close)

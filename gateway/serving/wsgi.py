"""The WSGI entry point: settings from the environment, and the real parts."""

import atexit
from contextlib import ExitStack
from functools import partial

from flask import Flask

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.gateway.observe.metrics import LedgerCollector, MetricsPort
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.gateway.serving.app import create_app
from cutgate.gateway.serving.health import Readiness, check_room, operators_page
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.ledger.client import connect_ledger
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.metric_names import Part
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.upkeep.background import upkeep_threads


def app() -> Flask:
    """The gateway on the real parts."""
    settings = GatewaySettings()
    logs.configure(settings.log_format, settings.log_level)
    traces.start(settings, Part.GATEWAY, of_callers=True)
    client = connect_ledger(settings)
    atexit.register(client.close)  # a socket left open would be told of in the log
    store = Ledger(client, settings.ledger_limits())
    blobs = open_blob_store(settings)
    keep_in_order(settings, store, blobs)
    made = create_app(
        settings,
        accounts=Accounts(KeyTable(client), settings.master_keys()),
        store=store,
        events=TaskEvents(settings.redis_url.get_secret_value()),
        presence=store.presence,
        blobs=blobs,
        sessions=Sessions(client),
    )
    if settings.metrics_port is not None:
        figures = LedgerCollector(store=store, presence=store.presence)
        has_room = partial(check_room, blobs, settings.least_free_bytes)
        readiness = Readiness(store, store.presence, blobs.check, has_room)
        made.wsgi_app = MetricsPort(  # type: ignore[method-assign]
            made.wsgi_app, settings.metrics_port, figures, {"/readyz": partial(operators_page, readiness)}
        )
    return made


def keep_in_order(settings: GatewaySettings, store: Ledger, blobs: BlobStore) -> None:
    """Do the upkeep for as long as this process lives: there may be no worker that does it."""
    threads = ExitStack()
    threads.enter_context(upkeep_threads(settings, store, blobs))
    atexit.register(threads.close)

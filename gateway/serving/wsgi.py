"""The application on the real parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.gateway.observe.metrics import LedgerCollector, MetricsPort
from cutgate.gateway.operator.views import PATH, OperatorPages
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.gateway.serving.app import create_app
from cutgate.gateway.serving.health import Readiness, operators_page
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.parts import Parts
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.metric_names import Part
from cutgate.jobs.redis_client import connect_ledger
from cutgate.jobs.upkeep.background import WATCH_SECONDS, upkeep_threads, watch_installation
from cutgate.jobs.upkeep.loops import Every

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@contextmanager
def app(settings: GatewaySettings) -> Iterator[Flask]:
    """The gateway on the real parts, whose connections and threads end with the block."""
    logs.configure(settings.log_format, settings.log_level)
    traces.start(settings, Part.GATEWAY, of_callers=True)
    with ExitStack() as parts:
        parts.callback(traces.stop)
        client = parts.enter_context(connect_ledger(settings))
        store = Ledger(client, settings.ledger_limits())
        blobs = open_blob_store(settings)
        # There may be no worker that does the upkeep.
        parts.enter_context(upkeep_threads(settings, store, blobs))
        watch = partial(watch_installation, store, blobs)
        parts.enter_context(Every(WATCH_SECONDS, watch, "installation", at_once=True))
        shared = Parts.of(
            settings,
            accounts=Accounts(KeyTable(client), settings.master_keys()),
            store=store,
            events=parts.enter_context(TaskEvents(settings.redis_url.get_secret_value())),
            presence=store.presence,
            blobs=blobs,
        )
        made = create_app(shared, Sessions(client))
        if settings.metrics_port is not None:
            figures = LedgerCollector(
                store=store,
                presence=store.presence,
                lanes=shared.submissions.offers.lanes,
                scales_to_zero=settings.scale_to_zero,
            )
            ready = partial(operators_page, Readiness(shared, blobs.check))
            pages: dict[str, Callable[[], WSGIApplication]] = {"/readyz": ready}
            if settings.operator_key is not None:
                operator = OperatorPages(
                    store, blobs, settings.operator_key, scales_to_zero=settings.scale_to_zero
                ).app()
                pages[PATH] = lambda: operator
            made.wsgi_app = MetricsPort(  # type: ignore[method-assign]
                made.wsgi_app, settings.metrics_port, figures, pages
            )
        yield made

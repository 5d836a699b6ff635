"""Starts the upkeep of ledger and storage in threads beside a process's own work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog

from cutgate.jobs.errors import WrongInstallation
from cutgate.jobs.ledger.server import ServerUnfit
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.settings import JobSettings
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.leadership import Leadership
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import Reaper
from cutgate.jobs.upkeep.retention import Sweeper

REAP_SECONDS: Final = 1.0
"""How often is looked for expired leases and lost hints: a lost worker's picture waits so much longer."""
RETENTION_SWEEP_SECONDS: Final = 10.0
ORPHAN_SWEEPS_IN_GRACE: Final = 4
"""How often orphans are looked for in their grace time; it reads the whole storage."""
ORPHAN_SWEEPS_SHARE: Final = 0.02
"""The most of its time that a process may look for orphans: it takes long where much is stored."""
WATCH_SECONDS: Final = 5.0
"""How often is looked whether the ledger's server is still the same; by gateways, whether the storage is."""

Call = Callable[[], object]

log = structlog.get_logger(__name__)


def unchanged(call: Call) -> Call:
    """The call itself."""
    return call


@contextmanager
def upkeep_threads(
    settings: JobSettings,
    store: Ledger,
    blobs: BlobStore,
    wrap: Callable[[Call], Call] = unchanged,
) -> Iterator[None]:
    """Keep ledger and storage in order as long as the block lasts. Of all processes one does each sweep.

    `wrap` is put around what each thread calls.
    """
    sweeper = Sweeper(store, blobs, orphan_grace_seconds=settings.orphan_grace_seconds)
    installation = Installation(store, blobs)
    retention = Leadership(store, "retention", 2.5 * RETENTION_SWEEP_SECONDS)
    orphans_seconds = settings.orphan_grace_seconds / ORPHAN_SWEEPS_IN_GRACE
    orphans = Leadership(store, "orphans", orphans_seconds)

    def sweep() -> None:
        if retention.holds() and belong_together(installation):
            sweeper.sweep(retention.holds)

    def sweep_orphans() -> None:
        if orphans.holds() and belong_together(installation):
            started_seconds = time.monotonic()
            sweeper.sweep_orphans()
            sweeper.count_uploads()
            sweeper.sweep_usage()
            orphans.rest((time.monotonic() - started_seconds) / ORPHAN_SWEEPS_SHARE)

    with (
        Every(WATCH_SECONDS, wrap(partial(watch_server, store)), "server"),
        Every(REAP_SECONDS, wrap(Reaper(store).sweep), "reaper"),
        Every(RETENTION_SWEEP_SECONDS, wrap(sweep), "retention"),
        Every(orphans_seconds, wrap(sweep_orphans), "orphans"),
    ):
        yield


def watch_server(store: Ledger) -> None:
    """Say in the log when another server has come that cannot hold the ledger: by a restart, or a failover."""
    try:
        store.server.require_fit()
    except ServerUnfit as error:
        log.error("ledger_server_unfit", reason=str(error))  # noqa: TRY400 — the text says it all


def watch_installation(store: Ledger, blobs: BlobStore) -> None:
    """Note, and say in the log, when ledger and storage cease to belong together, and when they do again.

    For gateways, who answer meanwhile that they are unavailable; others notice by themselves before they harm.
    """
    before = store.server.wrong
    Installation(store, blobs).watch()
    if (wrong := store.server.wrong) != before:
        log.error("installation_wrong", reason=wrong) if wrong else log.info("installation_whole")


def belong_together(installation: Installation) -> bool:
    """Whether sweeps may delete; where they may not, the log says why."""
    try:
        installation.require()
    except WrongInstallation as error:
        log.error("sweep_refused", reason=str(error))  # noqa: TRY400 — the text says it all
        return False
    return True

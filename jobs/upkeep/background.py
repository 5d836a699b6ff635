"""The upkeep of ledger and storage, in threads beside a process's own work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.hints.queue import JobQueue
from cutgate.jobs.ledger.redis.upkeep import RedisUpkeep
from cutgate.jobs.settings import JobSettings
from cutgate.jobs.upkeep.disposal import Disposal
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import Reaper
from cutgate.jobs.upkeep.retention import Sweeper

RETENTION_SWEEP_SECONDS: Final = 10.0
ORPHAN_SWEEPS_IN_GRACE: Final = 4
"""How often orphans are looked for in their grace time; it reads the whole storage."""

Call = Callable[[], object]


def unchanged(call: Call) -> Call:
    """The call itself."""
    return call


@contextmanager
def upkeep_threads(
    settings: JobSettings,
    store: RedisUpkeep,
    blobs: BlobStore,
    queue: JobQueue,
    wrap: Callable[[Call], Call] = unchanged,
) -> Iterator[None]:
    """Keep ledger and storage in order as long as the block lasts.

    Args:
        settings: how often, and how old an orphan is.
        store: the ledger.
        blobs: where pictures lie.
        queue: carries the hints that were missing.
        wrap: put around what each thread calls.
    """
    reaper = Reaper(store, queue, Disposal.of(settings, blobs))
    sweeper = Sweeper(store, blobs, orphan_grace_seconds=settings.orphan_grace_seconds)
    orphans_seconds = settings.orphan_grace_seconds / ORPHAN_SWEEPS_IN_GRACE
    with (
        Every(settings.sweep_seconds, wrap(reaper.sweep), "reaper"),
        Every(RETENTION_SWEEP_SECONDS, wrap(sweeper.sweep), "retention"),
        Every(orphans_seconds, wrap(sweeper.sweep_orphans), "orphans", at_once=True),
    ):
        yield

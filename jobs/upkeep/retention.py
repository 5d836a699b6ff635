"""What removes what is past its time: tasks, uploads, sources of ended items, blobs that belong to nothing.

A record goes in three steps, each of which may be repeated: it is marked and nobody sees it any more, its blobs
are deleted, it is deleted. Whoever stops in between leaves a marked record, which the next sweep finds.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.database import batches
from cutgate.jobs.ports import BlobStore, Ledger

DEFER_SECONDS: Final = 3_600.0
"""How long what cannot be deleted stays out of the others' way."""
FEW: Final = 16
"""So many orphans go whatever else is stored: they are what submissions left that were cut off."""
MOST_SHARE: Final = 0.5
"""Where more of what is stored has no record, it is the records that are missing."""

log = structlog.get_logger(__name__)


class Sweeper:
    """Removes what nobody may see any more."""

    def __init__(self, store: Ledger, blobs: BlobStore, *, orphan_grace_seconds: float) -> None:
        """Keep the parts. A blob without a record goes at the age of `orphan_grace_seconds`.

        The ledger refuses those half as old, so nothing can appear whose blobs are taken.
        """
        self._store, self._blobs = store, blobs
        self._orphan_grace_seconds = orphan_grace_seconds

    def sweep(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Delete spent sources and expired records, a batch of each in turn, so that neither waits for the other.

        Args:
            goes_on: asked before each pair of batches, whether to go on.

        Returns:
            How many records of tasks and uploads were removed.
        """
        sources, records = 0, 0
        while goes_on():
            some_sources, some_records, put_off = self._sweep_sources(), *self._sweep_records()
            sources, records = sources + some_sources, records + some_records
            if not some_sources and not some_records and not put_off:
                break
        if sources or records:
            log.info("expired_removed", records=records, sources=sources)
        return records

    def _sweep_sources(self) -> int:
        """Delete a batch of sources of items that have ended for good, and say how many they were."""
        sources = self._store.upkeep.spent()
        try:
            self._blobs.delete(*sources)
        except BlobStoreUnavailable as error:
            if not self._storage_works():
                log.warning("sources_kept", sources=len(sources), message=error.message)
                return 0
            # One that stays is an orphan, and looked for as such, once its record is gone.
            for source in sources:
                self._deletes(source.task, partial(self._blobs.delete, source))
        self._store.upkeep.forget_spent(sources)
        return len(sources)

    def _sweep_records(self) -> tuple[int, int]:
        """Remove a batch of expired records, and say how many were removed and how many put off.

        A record whose blobs cannot be deleted is put off, unless that is so of all, because the storage is away.
        """
        expired = self._store.upkeep.hide_expired()
        removed = [record.uid for record in expired]
        try:
            self._blobs.delete(*(blob for record in expired for blob in record.blobs))
        except BlobStoreUnavailable:
            removed = [
                record.uid
                for record in expired
                if self._deletes(record.uid, partial(self._blobs.delete, *record.blobs))
            ]
        self._store.upkeep.forget(removed)
        left = [record.uid for record in expired if record.uid not in removed]
        if left and (removed or self._storage_works()):
            self._store.upkeep.defer(left, DEFER_SECONDS)
            return len(removed), len(left)
        return len(removed), 0

    def sweep_orphans(self, *, however_many: bool = False) -> int:
        """Remove blobs without a record and what dead writers left, and say of how many records there were blobs.

        It reads every folder of the storage, so it is for rarer use than `sweep`. `however_many` is an operator's
        word that they go, even if they are most of what is stored.
        """
        orphans: list[TaskUid] = []
        stored = 0
        for uids in batches(self._blobs.tasks()):
            stored += len(uids)
            orphans += self._store.upkeep.unrecorded(uids, self._orphan_grace_seconds)
        if len(orphans) > max(FEW, MOST_SHARE * stored) and not however_many:
            log.error(
                "orphans_kept",
                records=len(orphans),
                stored=stored,
                reason="most of what is stored has no record: is this the storage's own ledger, and whole?",
                remedy="if it is, run `python -m cutgate.gateway storage sweep`",
            )
            return 0
        total = sum(self._deletes(uid, partial(self._blobs.delete_task, uid)) for uid in orphans)
        self._blobs.delete_unfinished(self._orphan_grace_seconds)
        if total:
            log.info("orphans_removed", records=total)
        return total

    def count_uploads(self) -> None:
        """Mend the counts that accounts' caps on uploads are held to."""
        if accounts := self._store.upkeep.count_uploads():
            log.warning("upload_counts_mended", accounts=accounts)

    def sweep_usage(self) -> None:
        """Delete accounts' usage that is past its retention."""
        while self._store.upkeep.forget_usage():
            pass

    def _storage_works(self) -> bool:
        try:
            self._blobs.check()
        except BlobStoreUnavailable:
            return False
        return True

    def _deletes(self, uid: TaskUid, delete: Callable[[], None]) -> bool:
        """Whether blobs of a task could be deleted. One that cannot must not keep all the others."""
        try:
            delete()
        except BlobStoreUnavailable as error:
            log.warning("blobs_kept", task_uid=uid, message=error.message)
            return False
        return True

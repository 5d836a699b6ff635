"""What removes what is past its time: tasks, uploads, sources of ended items, blobs that belong to nothing.

A record goes in three steps, each of which may be repeated: it is marked and nobody sees it any more, its blobs
are deleted, it is deleted. Whoever stops in between leaves a marked record, which the next sweep finds.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import structlog

from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.database import BATCH
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

    def sweep(self) -> int:
        """Remove the tasks and uploads past their retention, and say how many they were."""
        total = 0
        while uids := self._store.upkeep.hide_expired():
            emptied = [uid for uid in uids if self._empties(uid)]
            for uid in emptied:
                self._store.upkeep.forget(uid)
            total += len(emptied)
            if not emptied and not self._storage_works():
                break  # all of them can go once it is back
            self._store.upkeep.defer([uid for uid in uids if uid not in emptied], DEFER_SECONDS)
        if total:
            log.info("expired_removed", records=total)
        return total

    def sweep_sources(self) -> int:
        """Delete the sources of items that have ended for good, and say how many they were."""
        total = 0
        while sources := self._store.upkeep.spent():
            deleted = []
            try:
                for source in sources:
                    self._blobs.delete(source)
                    deleted.append(source)
            except BlobStoreUnavailable as error:
                # The next one would wait for the same storage.
                log.warning("sources_kept", sources=len(sources) - len(deleted), message=error.message)
                return total
            finally:
                self._store.upkeep.forget_spent(deleted)
                total += len(deleted)
        return total

    def sweep_orphans(self, *, however_many: bool = False) -> int:
        """Remove blobs without a record and what dead writers left, and say of how many records there were blobs.

        It reads every folder of the storage, so it is for rarer use than `sweep`. `however_many` is an operator's
        word that they go, even if they are most of what is stored.
        """
        orphans: list[TaskUid] = []
        stored = 0
        for uids in _batches(self._blobs.tasks()):
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
        total = sum(self._empties(uid) for uid in orphans)
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

    def _empties(self, uid: TaskUid) -> bool:
        """Delete a record's blobs. One that cannot be deleted must not keep all the others."""
        try:
            self._blobs.delete_task(uid)
        except BlobStoreUnavailable as error:
            log.warning("blobs_kept", task_uid=uid, message=error.message)
            return False
        return True


def _batches(uids: Iterator[TaskUid]) -> Iterator[list[TaskUid]]:
    while batch := list(islice(uids, BATCH)):
        yield batch

"""What removes what is past its time: tasks and uploads after their retention, and blobs that belong to neither.

Each goes in three steps, each of which may be repeated: its record is marked and nobody sees it any more, its
blobs are deleted, its record is deleted. Whoever stops in between leaves a marked record, which the next sweep
finds; so it may run in several places at once.
"""

from collections.abc import Iterator
from itertools import islice

import structlog

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.redis.upkeep import BATCH, RedisUpkeep

log = structlog.get_logger(__name__)


class Sweeper:
    """Removes what nobody may see any more."""

    def __init__(self, store: RedisUpkeep, blobs: BlobStore, *, orphan_grace_seconds: float) -> None:
        """Keep the parts.

        Args:
            store: the ledger; it says what is past its retention.
            blobs: where the bytes lie.
            orphan_grace_seconds: age from which a blob without a record goes. The ledger refuses those half as
                old, so nothing can appear whose blobs are taken.
        """
        self._store, self._blobs = store, blobs
        self._orphan_grace_seconds = orphan_grace_seconds

    def sweep(self) -> int:
        """Remove the tasks and uploads past their retention, and say how many they were.

        Raises:
            LedgerUnavailable: the ledger does not answer; what was not removed is found again.
        """
        total = 0
        while uids := self._store.hide_expired():
            emptied = [uid for uid in uids if self._empties(uid)]
            for uid in emptied:
                self._store.forget(uid)
            total += len(emptied)
            if not emptied:
                break  # the same ids would come again
        if total:
            log.info("expired_removed", records=total)
        return total

    def sweep_orphans(self) -> int:
        """Remove blobs without a record and what dead writers left, and say of how many records there were blobs.

        It reads every folder of the storage, so it is for rarer use than `sweep`.

        Raises:
            ServiceUnavailable: the ledger or the blob store does not answer; what was not removed is found again.
        """
        total = 0
        for uids in _batches(self._blobs.tasks()):
            orphans = self._store.unrecorded(uids, self._orphan_grace_seconds)
            total += sum(self._empties(uid) for uid in orphans)
        self._blobs.delete_unfinished(self._orphan_grace_seconds)
        if total:
            log.info("orphans_removed", records=total)
        return total

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

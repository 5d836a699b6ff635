"""Whether this worker can do its work, which decides whom a failure is blamed on: the worker or the picture.

A worker that cannot do its work is faster than all good ones, and would burn a whole queue.
"""

from collections.abc import Callable

import structlog

from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.upkeep.installation import ADOPT, Installation

log = structlog.get_logger(__name__)


class Health:
    """State of a worker process's storage and of its pipeline; used from any thread.

    The storage is checked before a claim: first at the start, again after each fault until a check passes. So an
    outage costs no picture an attempt.
    """

    def __init__(self, store: Ledger, blobs: BlobStore) -> None:
        self._blobs, self._installation = blobs, Installation(store, blobs)
        self._storage_in_doubt = True
        self._is_broken = False

    @property
    def is_broken(self) -> bool:
        """Whether the process failed on a picture that is known to be good, and has to be replaced."""
        return self._is_broken

    def doubt_storage(self) -> None:
        """Check the storage before the next claim."""
        self._storage_in_doubt = True

    def storage_works(self) -> bool:
        """Whether a picture may be claimed now; the log says why not."""
        if not self._storage_in_doubt:
            return True
        try:
            self._blobs.check()
            is_right = self.storage_is_the_ledgers()
        except ServiceUnavailable as error:
            log.warning("storage_away", kind=error.kind, message=error.message)
            return False
        if not is_right:
            log.error(
                "storage_is_not_the_ledgers",
                hint=f"is the volume mounted, is it the right bucket? {ADOPT}",
            )
            return False
        self._storage_in_doubt = False
        return True

    def storage_is_the_ledgers(self) -> bool:
        """Whether ledger and storage carry the id of one installation.

        Raises:
            ServiceUnavailable: one of them does not answer.
        """
        return self._installation.is_whole()

    def passes(self, trial: Callable[[], object]) -> bool:
        """Whether the pipeline still does a known picture; if it does not, the process is broken."""
        try:
            trial()
        except Exception:
            log.exception("known_picture_failed")
            self._is_broken = True
            return False
        return True

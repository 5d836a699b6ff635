"""What deletes the sources of items that the ledger itself failed, since no worker does."""

from typing import Self

import structlog

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.ledger.answers import Leftovers
from cutgate.jobs.settings import JobSettings

log = structlog.get_logger(__name__)


class Disposal:
    """Deletes what a move of the ledger named, after its answer: until then an item may need its source."""

    def __init__(self, blobs: BlobStore, *, delete_source: bool = True, keep_poisoned: bool = False) -> None:
        """Keep the parts.

        Args:
            blobs: where the sources lie.
            delete_source: False leaves all of them to retention.
            keep_poisoned: leaves those to retention whose workers died, for someone to look at.
        """
        self._blobs = blobs
        self._delete_source, self._keep_poisoned = delete_source, keep_poisoned

    @classmethod
    def of(cls, settings: JobSettings, blobs: BlobStore) -> Self:
        """As the settings say."""
        return cls(blobs, delete_source=settings.delete_source, keep_poisoned=settings.keep_poisoned_source)

    def dispose(self, left: Leftovers) -> None:
        """Delete the sources, and leave them to retention when the storage is away."""
        if not self._delete_source:
            return
        keys = left.sources if self._keep_poisoned else left.sources + left.poisoned
        for position, key in enumerate(keys):
            try:
                self._blobs.delete(key)
            except BlobStoreUnavailable as error:
                # The next one would wait for the same storage, and the caller has other things to do.
                log.warning("sources_kept", sources=len(keys) - position, message=error.message)
                return

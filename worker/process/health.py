"""Whether this worker can do its work, which decides whom a failure is blamed on: the worker or the picture.

A worker that cannot do its work is faster than all good ones, and would burn a whole queue.
"""

from collections.abc import Callable, Sequence

import structlog

from cutgate.jobs.errors import ServiceUnavailable, WrongInstallation
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.upkeep.installation import ADOPT, Installation

log = structlog.get_logger(__name__)


class Health:
    """State of what a worker process needs, storage and inference servers, and of its pipeline; for any thread.

    They are checked before a claim: first at the start, again after each fault until a check passes. So an outage
    costs no picture an attempt.

    Attributes:
        installation: whether ledger and storage belong together.
        away: kind of the error that keeps the worker from claiming; empty where nothing does.
        is_broken: whether the process failed on a picture that is known to be good, and has to be replaced.
    """

    def __init__(self, store: Ledger, blobs: BlobStore, servers: Sequence[Callable[[], None]] = ()) -> None:
        """Take what to check; each of `servers` raises `ServiceUnavailable` where it is not ready."""
        self._blobs, self.installation, self._servers = blobs, Installation(store, blobs), servers
        self._in_doubt = True
        self.is_broken = False
        self.away = ""

    def doubt(self) -> None:
        """Check storage and servers before the next claim."""
        self._in_doubt = True

    def watch(self) -> None:
        """Check what is in doubt, and servers in any case: an idle worker should know of them, too."""
        self._in_doubt = self._in_doubt or bool(self._servers)
        self.can_work()

    def can_work(self) -> bool:
        """Whether a picture may be claimed now; the log says why not."""
        if not self._in_doubt:
            return True
        try:
            for check in self._servers:
                check()
            self._blobs.check()
            is_right = self.installation.is_whole()
        except ServiceUnavailable as error:
            log.warning("waiting_for_service", kind=error.kind, message=error.message)
            self.away = error.kind
            return False
        if not is_right:
            hint = f"is the volume mounted, is it the right bucket? {ADOPT}"
            log.error("storage_is_not_the_ledgers", hint=hint)
            self.away = WrongInstallation.kind
            return False
        self._in_doubt, self.away = False, ""
        return True

    def passes(self, trial: Callable[[], object]) -> bool:
        """Whether the pipeline still does a known picture; if it does not, the process is broken."""
        try:
            trial()
        except ServiceUnavailable:  # which says nothing about the pipeline
            self.doubt()
            return False
        except Exception:
            log.exception("known_picture_failed")
            self.is_broken = True
            return False
        return True

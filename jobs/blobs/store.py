"""Where bytes lie: the claim check's other half.

Order on submit: blob, CREATE, hint. Order on finish: result blob, FINISH, then the source goes. A blob is
deleted only after an explicit refusal by the ledger, never after a time-out or a lost connection.
"""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from cutgate.jobs.ids import BlobKey, TaskUid


class BlobStore(Protocol):
    """Bytes under keys. A blob is whole once `put` has returned, never changes, and is named nowhere before.

    Every method raises `BlobStoreUnavailable` when the storage cannot be read or written.
    """

    def put(self, key: BlobKey, data: bytes) -> None:
        """Write a blob durably. Writing the same key again replaces it in one step."""

    def get(self, key: BlobKey) -> bytes:
        """Read a blob whole.

        Raises:
            BlobMissing: there is none under the key.
        """

    def open(self, key: BlobKey) -> BinaryIO:
        """Open a blob for reading, seekable, so that a server can stream it.

        Raises:
            BlobMissing: there is none under the key.
        """

    def copy(self, source: BlobKey, target: BlobKey) -> None:
        """Put what lies under one key under another as well. Neither is touched by what happens to the other.

        Raises:
            BlobMissing: there is none under the source's key.
        """

    def delete(self, key: BlobKey) -> None:
        """Remove a blob; without effect where there is none."""

    def tasks(self) -> Iterator[TaskUid]:
        """The tasks that have blobs, in no order; one that comes or goes meanwhile may be missing."""

    def delete_task(self, uid: TaskUid) -> None:
        """Remove every blob of a task; without effect where there is none.

        What is put meanwhile may stay: a caller that must be sure calls again.
        """

    def delete_unfinished(self, older_than_seconds: float) -> None:
        """Remove what writers that died left behind, once nobody has written to it for so long."""

    def installation(self) -> str | None:
        """The id that was installed here; None where none was."""

    def install(self, installation: str, *, replace: bool = False) -> str:
        """Store an id unless there is one, or in its place; answers the one that then stands."""

    def check(self) -> None:
        """Raise `BlobStoreUnavailable` unless a blob could be written now."""

    def free_bytes(self) -> int | None:
        """How much room the storage has left; None where it does not say."""

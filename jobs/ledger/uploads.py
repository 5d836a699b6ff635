"""Pictures that callers keep with the service for later use: records of their own, beside the tasks'.

An upload's bytes are copied into each item that uses them. Its retention begins anew with every use; then it goes
as tasks do: hidden, its blob deleted, forgotten.
"""

from __future__ import annotations

from typing import Protocol

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Upload


class Uploads(Protocol):
    """The ledger's moves for pictures that are kept.

    Every method raises `LedgerUnavailable` when the server does not answer in time.
    """

    def keep_upload(self, upload: Upload) -> None:
        """Record a picture whose blob is written already. A second call changes nothing but its last use.

        Raises:
            SourceExpired: the id is so old that the blob may be swept; nothing is stored.
        """

    def use_upload(self, uid: TaskUid, account: str) -> Upload | None:
        """The picture, whose retention begins anew; None when there is none, or it belongs to another account."""

    def drop_upload(self, uid: TaskUid, account: str) -> Upload | None:
        """Delete the record, and then the caller the blob; None as for `use_upload`."""

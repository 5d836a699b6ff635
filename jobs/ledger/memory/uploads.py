"""The memory ledger's uploads."""

from __future__ import annotations

from typing_extensions import override

from cutgate.jobs.errors import SourceExpired
from cutgate.jobs.ids import TaskUid, made_at_seconds
from cutgate.jobs.ledger.encoding import decode_upload, encode_upload, milliseconds
from cutgate.jobs.ledger.endings import SOURCE_TOO_OLD
from cutgate.jobs.ledger.memory.state import LedgerState
from cutgate.jobs.ledger.memory.upkeep import MemoryUpkeep
from cutgate.jobs.ledger.uploads import Upload, Uploads


class MemoryUploads(MemoryUpkeep, Uploads):
    """The part of the memory ledger that is for pictures that are kept."""

    @override
    def keep_upload(self, upload: Upload) -> None:
        with self._lock:
            if not record(self._state, upload):
                raise SourceExpired(SOURCE_TOO_OLD)

    @override
    def use_upload(self, uid: TaskUid, account: str) -> Upload | None:
        with self._lock:
            upload = self._visible_upload(uid, account)
            if upload is not None:
                self._state.uploads.update(uid, used_at_ms=self._state.now_ms())
            return upload

    @override
    def drop_upload(self, uid: TaskUid, account: str) -> Upload | None:
        with self._lock:
            upload = self._visible_upload(uid, account)
            if upload is not None:
                self._state.uploads.delete(uid)
            return upload

    def _visible_upload(self, uid: TaskUid, account: str) -> Upload | None:
        """An upload unless it is hidden, unused past its retention, or another account's."""
        fields = self._state.uploads.read(uid)
        if fields.get("account") != account or "hidden" in fields:
            return None
        unused_ms = self._state.now_ms() - int(fields["used_at_ms"])
        fresh = unused_ms < milliseconds(self._limits.upload_retention_seconds)
        return decode_upload(fields["picture"]) if fresh else None


def record(state: LedgerState, upload: Upload) -> bool:
    """Record an upload, or count its use; False when its blob is so old that the sweeper may take it."""
    now_ms = state.now_ms()
    if upload.uid not in state.uploads:
        age_ms = now_ms - milliseconds(made_at_seconds(upload.uid))
        if age_ms > milliseconds(state.limits.source_max_age_seconds):
            return False
        state.uploads.update(upload.uid, account=upload.account, picture=encode_upload(upload))
    state.uploads.update(upload.uid, used_at_ms=now_ms)
    return True

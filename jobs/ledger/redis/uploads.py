"""The ledger's uploads in Redis or Valkey. The keys are listed in `cutgate.jobs.ledger.keys`."""

from cutgate.jobs.errors import SourceExpired
from cutgate.jobs.ids import TaskUid, made_at_seconds
from cutgate.jobs.ledger.encoding import decode_upload, encode_upload, milliseconds
from cutgate.jobs.ledger.redis.client import Json
from cutgate.jobs.ledger.redis.upkeep import SOURCE_TOO_OLD, RedisUpkeep
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Upload


class RedisUploads(RedisUpkeep):
    """The part of the Redis ledger that is for pictures that callers keep for later use: records of their own.

    An upload's bytes are copied into each item that uses them. Its retention begins anew with every use; then it
    goes as tasks do: hidden, its blob deleted, forgotten.
    """

    def keep_upload(self, upload: Upload) -> None:
        """Record a picture whose blob is written already. A second call changes nothing but its last use.

        Raises:
            SourceExpired: the id is so old that the blob may be swept; nothing is stored.
        """
        if not self._scripts.run("keep_upload", **record_of(upload, self._limits)):
            raise SourceExpired(SOURCE_TOO_OLD)

    def use_upload(self, uid: TaskUid, account: str) -> Upload | None:
        """The picture, whose retention begins anew; None when there is none, or it belongs to another account."""
        picture = self._scripts.run(
            "use_upload", uid=uid, account=account, upload_retention_ms=self._upload_retention_ms
        )
        return None if picture is None else decode_upload(picture)

    def drop_upload(self, uid: TaskUid, account: str) -> Upload | None:
        """Delete the record, and then the caller the blob; None as for `use_upload`."""
        pictures = self._run_once(
            "drop_upload", uid=uid, account=account, upload_retention_ms=self._upload_retention_ms
        )
        return decode_upload(pictures[0]) if pictures else None


def record_of(upload: Upload, limits: LedgerLimits) -> dict[str, Json]:
    """A new upload as the scripts take it."""
    return {
        "uid": upload.uid,
        "account": upload.account,
        "picture": encode_upload(upload),
        "made_at_ms": milliseconds(made_at_seconds(upload.uid)),
        "source_max_age_ms": milliseconds(limits.source_max_age_seconds),
    }

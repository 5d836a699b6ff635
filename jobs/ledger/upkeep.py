"""Upkeep of the ledger: what no caller waits for."""

import json
from collections.abc import Sequence
from typing import Any, Final

from cutgate.jobs.answers import Expired, Reaped
from cutgate.jobs.errors import WaitedTooLong
from cutgate.jobs.ids import BlobKey, TaskUid, made_at_seconds
from cutgate.jobs.ledger.database import BATCH, Database, Json
from cutgate.jobs.ledger.encoding import RESULT, UPLOAD, encode_error, milliseconds
from cutgate.jobs.ledger.server import run_id
from cutgate.jobs.redis_client import ledger_errors
from cutgate.jobs.spec import Lane

SILENT_SECONDS: Final = 3.0
"""A server that answers nothing for longer, and for a third of a lease, is frozen: leases lapse meanwhile."""
_TOO_LATE: Final = WaitedTooLong("the picture waited longer than the service allows").facts()


class Upkeep:
    """What takes back, sweeps and forgets."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def lead(self, sweep: str, holder: str, hold_seconds: float) -> float:
        """Lead a sweep, which then no other process does, until `hold_seconds` after the last call.

        `holder` is this process's own token.

        Returns:
            0 to the leader; to the others the seconds until they may ask again.
        """
        wait_ms: int = self._db.run("lead", sweep=sweep, holder=holder, hold_ms=milliseconds(hold_seconds))
        return wait_ms / 1_000

    def suspend(self, sweep: str, holder: str, hold_seconds: float) -> None:
        """Take the lead of a sweep from whoever has it: nobody does it as long as this is called in time."""
        with ledger_errors():
            self._db.client.set(self._db.key(f"leader:{sweep}"), holder, px=milliseconds(hold_seconds))

    def reap(self, silent_seconds: float = 0) -> Reaped:
        """Take back what lost workers hold, fail what is over its time, and send the hints that are missing.

        A lapsed lease counts as an attempt, except within one lease of a restart of the server, or of a time in
        which it answered the caller nothing: then it is renewed, for nobody could renew it. Hints are missing
        where an item has waited for a while, and no worker has been told and has still to come.
        """
        answer = self._db.run_once(
            "reap",
            run_id=run_id(self._db.client),
            silent=silent_seconds > max(SILENT_SECONDS, self._db.limits.lease_seconds / 3),
            lease_ms=milliseconds(self._db.limits.lease_seconds),
            queue_timeout_ms=milliseconds(self._db.limits.queue_timeout_seconds),
            hint_grace_ms=milliseconds(self._db.limits.hint_grace_seconds),
            too_late=encode_error(_TOO_LATE),
            batch=BATCH,
            **self._db.endings(),
        )
        renewed, requeued, lost, too_slow, too_late, hints = answer
        return Reaped(
            renewed=renewed,
            requeued=requeued,
            worker_lost=lost,
            too_slow=too_slow,
            too_late=too_late,
            hints=_by_lane(hints),
        )

    def spent(self) -> tuple[BlobKey, ...]:
        """Sources that may be deleted, at most `BATCH`; they are named until `forget_spent`."""
        return tuple(map(BlobKey.parse, self._db.run("spent", batch=BATCH)))

    def forget_spent(self, sources: Sequence[BlobKey]) -> None:
        """Note that sources are deleted."""
        if sources:
            self._db.run("forget_spent", sources=[str(source) for source in sources])

    def hide_expired(self) -> tuple[Expired, ...]:
        """Mark tasks and uploads past their retention as gone for every reader, and name them.

        They are at most `BATCH` of each, and named again and again until they are forgotten: their blobs go in
        between.
        """
        expired = self._db.run("hide_expired", batch=BATCH, **self._db.retentions())
        return tuple(Expired(uid=TaskUid(uid), blobs=blobs_of(uid, *stored)) for uid, *stored in expired)

    def defer(self, uids: Sequence[TaskUid], seconds: float) -> None:
        """Have `hide_expired` name these again only later, since their blobs cannot be deleted now."""
        if uids:
            self._db.run("defer", uids=list(uids), delay_ms=milliseconds(seconds), **self._db.retentions())

    def forget(self, uids: Sequence[TaskUid]) -> None:
        """Delete records of tasks and uploads that `hide_expired` named; no others."""
        if uids:
            self._db.run("forget", uids=list(uids))

    def unrecorded(self, uids: Sequence[TaskUid], older_than_seconds: float) -> tuple[TaskUid, ...]:
        """Those of the ids that have no record and were made so long ago; what is hidden has one."""
        tasks: list[Json] = [{"uid": uid, "made_at_ms": milliseconds(made_at_seconds(uid))} for uid in uids]
        found = self._db.run("unrecorded", tasks=tasks, min_age_ms=milliseconds(older_than_seconds))
        return tuple(map(TaskUid, found))

    def count_uploads(self) -> int:
        """Mend the counts of uploads that are not those of the records, and say of how many accounts they were."""
        with ledger_errors():
            accounts = sorted(map(str, self._db.client.smembers(self._db.key("uploaders"))))
        return sum(self._db.run("count_uploads", account=account) != [0, 0] for account in accounts)

    def forget_usage(self) -> int:
        """Delete accounts' usage past its retention, and say of how many accounts it was, at most `BATCH`."""
        retention_ms = milliseconds(self._db.limits.usage_retention_seconds)
        count: int = self._db.run("forget_usage", retention_ms=retention_ms, batch=BATCH)
        return count


def blobs_of(uid: str, items: str | None, kept: str | None, picture: str | None) -> tuple[BlobKey, ...]:
    """What is stored of a task or an upload, from its record. A result that became an upload is that one's."""
    results = [RESULT.decode(result).blob for _, _, _, result, *_ in json.loads(items or "[]") if result]
    upload = [UPLOAD.decode(picture).blob] if picture else []
    own = (blob for blob in results if blob.task == uid)
    return (*own, *map(BlobKey.parse, (kept or "").split()), *upload)


def _by_lane(flat: Sequence[Any]) -> dict[Lane, int]:
    return dict(zip(map(Lane, flat[::2]), flat[1::2], strict=True))

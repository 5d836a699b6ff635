"""Uploads in the ledger. `cutgate.jobs.ledger.keys` lists the keys."""

from typing import Final

from cutgate.jobs.answers import Created
from cutgate.jobs.ids import TaskUid, made_at_seconds, new_token
from cutgate.jobs.ledger.database import CALL_MEMORY_SECONDS, Database, Json
from cutgate.jobs.ledger.encoding import UPLOAD, milliseconds, refusal_of
from cutgate.jobs.ledger.keys import idempotency_name, joining_name, short_digest
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import AccountCaps, Idempotency, Joining, Repeats, Upload

DELETION_SECONDS: Final = 3_600
"""How long a deletion is known by its request's name: longer than clients repeat it. It costs the caller nothing,
and the ledger memory."""


class Uploads:
    """Pictures that callers keep for later use: records of their own.

    An upload's bytes are copied into each item that uses them. Its retention begins anew with every use; then it
    goes as tasks do: hidden, its blob deleted, forgotten.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(
        self, upload: Upload, *, caps: AccountCaps | None = None, idempotency: Idempotency | None = None
    ) -> Created:
        """Record a picture whose blob is written already. A second call changes nothing but its last use.

        Raises:
            SubmissionRefused: a subclass says why; nothing is stored.
        """
        verdict, *facts = self._db.run(
            "keep_upload",
            **record_of(upload, self._db.limits),
            **upload_caps(caps or AccountCaps(), self._db.limits),
            **repeats_of(upload.account, idempotency, self._db),
        )
        if verdict not in {"kept", "repeated"}:
            raise refusal_of(verdict, facts)
        return Created(uid=TaskUid(facts[0]), repeated=verdict == "repeated")

    def use(self, uid: TaskUid, account: str) -> Upload | None:
        """The picture, whose retention begins anew; None when there is none, or it belongs to another account."""
        picture = self._db.run(
            "use_upload", uid=uid, account=account, upload_retention_ms=self._db.upload_retention_ms
        )
        return None if picture is None else UPLOAD.decode(picture)

    def drop(self, uid: TaskUid, account: str, key: str | None = None) -> Upload | None:
        """Delete the record, and then the caller the blob; None as for `use`.

        A key names the request: a repeat answers as the first for `DELETION_SECONDS`.
        """
        seconds = CALL_MEMORY_SECONDS if key is None else DELETION_SECONDS
        picture = self._db.run(
            "drop_upload",
            uid=uid,
            account=account,
            upload_retention_ms=self._db.upload_retention_ms,
            call=new_token() if key is None else f"{idempotency_name(account, key)}/{uid}",
            memory_ms=milliseconds(seconds),
        )
        return None if picture is None else UPLOAD.decode(picture)


def upload_caps(caps: AccountCaps, limits: LedgerLimits) -> dict[str, Json]:
    """An account's caps on uploads as the scripts take them."""
    return {
        "upload_cap": limits.account_upload_cap if caps.uploads is None else caps.uploads,
        "upload_cap_bytes": limits.account_upload_bytes if caps.upload_bytes is None else caps.upload_bytes,
    }


def record_of(upload: Upload, limits: LedgerLimits) -> dict[str, Json]:
    """A new upload as the scripts take it."""
    return {
        "uid": upload.uid,
        "account": upload.account,
        "picture": UPLOAD.encode(upload),
        "size_bytes": upload.size_bytes,
        "made_at_ms": milliseconds(made_at_seconds(upload.uid)),
        "source_max_age_ms": milliseconds(limits.source_max_age_seconds),
    }


def repeats_of(account: str, repeats: Repeats | None, database: Database) -> dict[str, Json]:
    """What the scripts need to know a repeat of a request, and to be known by one."""
    arguments = database.retentions()
    if isinstance(repeats, Idempotency):
        arguments["idempotency"] = {
            "name": idempotency_name(account, repeats.key),
            "content_digest": short_digest(repeats.content_digest),
            "lifetime_ms": milliseconds(database.limits.idempotency_seconds),
            "kept_ms": milliseconds(database.limits.name_seconds),
        }
    elif isinstance(repeats, Joining):
        arguments["idempotency"] = {
            "name": joining_name(account, repeats.content_digest),
            "content_digest": short_digest(repeats.content_digest),
            "lifetime_ms": milliseconds(repeats.seconds),
            "kept_ms": milliseconds(repeats.seconds),
            "joins": new_token(),
        }
    return arguments

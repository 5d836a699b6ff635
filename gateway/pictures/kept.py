"""Use case: pictures that callers keep with the service and name by a UUID. Knows no protocol and no HTTP.

An upload is kept as it came, also where it is large, but without what a camera has appended to it. What a task
with one picture has made can be named in the same way, for as long as the task is shown.
"""

import math
import uuid
from dataclasses import dataclass
from typing import Final

import structlog

from cutgate.gateway.accounts.accounts import Account
from cutgate.jobs.errors import BlobStoreUnavailable, SubmissionRefused
from cutgate.jobs.ids import TaskUid, made_at_seconds, new_task_uid, uid_of_image, upload_key
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import PictureHeader, inspect
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import AccountCaps, Idempotency, Result, Upload
from cutgate.jobs.urls import ResultPaths

_LOG: Final = structlog.get_logger(__name__)
_ARCHIVE: Final = "application/zip"


def new_upload(account: str, header: PictureHeader) -> Upload:
    """The record of a picture that is about to be kept, under an id of its own."""
    uid = new_task_uid()
    return Upload(
        uid=uid,
        account=account,
        blob=upload_key(uid),
        media_type=header.media_type,
        width_px=header.width_px,
        height_px=header.height_px,
        size_bytes=header.size_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Keeps, finds and drops pictures, each together with its account: a guessed UUID shows nothing."""

    store: Ledger
    blobs: BlobStore
    paths: ResultPaths
    limits: SourceLimits
    retention_seconds: float
    """How long an upload stays after its last use."""

    def keep(self, account: Account, data: bytes, idempotency: Idempotency | None = None) -> Upload:
        """Keep a picture, given as the whole file, or answer with the upload that the same request made before.

        Raises:
            SourceRejected: what bytes and header of the picture show is not acceptable.
            SubmissionRefused: the ledger does not take it: nothing is written where that was seen before, else its
                blob is deleted.
            ServiceUnavailable: ledger or blob store is away; the upload may exist, so its blob stays.
        """
        header = inspect(data, self.limits)
        data = header.picture_of(data)
        name, caps = account.name, account.terms.caps
        outlook = self.store.tasks.look(name, caps=caps, idempotency=idempotency, upload_bytes=len(data))
        if outlook.refusal is not None:
            raise outlook.refusal()
        if outlook.first is not None:
            return self._known(outlook.first, name)
        return self._store(new_upload(name, header), data, caps, idempotency)

    def path_of(self, upload: Upload) -> str:
        """Where an upload can be fetched without a key: the same for a repeat, since it counts from the first."""
        return self.paths.path(upload, math.floor(made_at_seconds(upload.uid) + self.retention_seconds))

    def _store(self, upload: Upload, data: bytes, caps: AccountCaps, idempotency: Idempotency | None) -> Upload:
        """Write blob and record; the upload that then stands for the request."""
        self.store.server.require_room()
        self.blobs.put(upload.blob, data)
        try:
            created = self.store.uploads.keep(upload, caps=caps, idempotency=idempotency)
        except SubmissionRefused:
            self._delete(upload)
            raise
        if not created.repeated:
            return upload
        self._delete(upload)
        return self._known(created.uid, upload.account)

    def _known(self, uid: TaskUid, account: str) -> Upload:
        upload = self.store.uploads.use(uid, account)
        if upload is None:
            raise SubmissionRefused("the picture was deleted meanwhile")
        return upload

    def find(self, account: str, image: uuid.UUID) -> Result | None:
        """The picture that a UUID names: an upload, whose retention begins anew, or else a result.

        None stands for one that is unknown, another account's, past its retention, or no picture but an archive.
        Its blob may be gone by the time that it is used: `Submissions.submit` says so.
        """
        uid = uid_of_image(image)
        if uid is None:
            return None
        upload = self.store.uploads.use(uid, account)
        found = self._result(uid, account) if upload is None else upload.as_result()
        return None if found is None or found.media_type == _ARCHIVE else found

    def drop(self, account: str, image: uuid.UUID, key: str | None = None) -> bool:
        """Delete an upload at once; False where there is none. A result goes with its task.

        `key` names this very request, whose repeat answers as the first.
        """
        uid = uid_of_image(image)
        upload = None if uid is None else self.store.uploads.drop(uid, account, key)
        if upload is None:
            return False
        self._delete(upload)
        return True

    def _result(self, uid: TaskUid, account: str) -> Result | None:
        task = self.store.tasks.get(uid, account)
        return task.items[0].result if task is not None and len(task.items) == 1 else None

    def _delete(self, upload: Upload) -> None:
        try:
            self.blobs.delete(upload.blob)
        except BlobStoreUnavailable:
            _LOG.warning("blob_kept", blob=str(upload.blob))

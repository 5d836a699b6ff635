"""Use case: pictures that callers keep with the service and name by a UUID. Knows no protocol and no HTTP.

An upload is kept as it came, also where it is large, but without what a camera has appended to it. What a task
with one picture has made can be named in the same way, for as long as the task is shown.
"""

import math
import uuid
from dataclasses import dataclass, field
from typing import Final, Self

import structlog

from cutgate.jobs.errors import BlobStoreUnavailable, LedgerFull, SubmissionRefused
from cutgate.jobs.ids import (
    BlobKey,
    TaskUid,
    image_uuid,
    made_at_seconds,
    new_task_uid,
    uid_of_image,
    upload_key,
)
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import PictureHeader, inspect
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import AccountCaps, Idempotency, Result, Upload
from cutgate.jobs.urls import ResultPaths

_LOG: Final = structlog.get_logger(__name__)
_ARCHIVE: Final = "application/zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """A picture that lies with the service: an upload, or the result of a task with one item."""

    blob: BlobKey
    media_type: str
    width_px: int
    """With the orientation applied."""
    height_px: int
    size_bytes: int

    @classmethod
    def of(cls, record: Upload | Result) -> Self:
        """The picture of a record."""
        return cls(
            blob=record.blob,
            media_type=record.media_type,
            width_px=record.width_px,
            height_px=record.height_px,
            size_bytes=record.size_bytes,
        )


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
class Kept:
    """The answer of `keep`."""

    image: uuid.UUID
    """Names the picture from now on."""
    path: str = field(repr=False)
    """Where it can be fetched without a key."""
    picture: KeptPicture


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Keeps, finds and drops pictures, each together with its account: a guessed UUID shows nothing."""

    store: Ledger
    blobs: BlobStore
    paths: ResultPaths
    limits: SourceLimits
    retention_seconds: float
    """How long an upload stays after its last use."""

    def keep(
        self,
        account: str,
        data: bytes,
        ttl_seconds: float | None = None,
        *,
        caps: AccountCaps | None = None,
        idempotency: Idempotency | None = None,
    ) -> Kept:
        """Keep a picture, or answer with the one that the same request kept before.

        Args:
            account: whose it is.
            data: the whole file.
            ttl_seconds: how long its path is to be good, where that is less than its retention.
            caps: how much the account may hold.
            idempotency: names this very request; None where the caller gave it no name.

        Raises:
            SourceRejected: what bytes and header of the picture show is not acceptable.
            SubmissionRefused: the ledger does not take it: nothing is written where that was seen before, else its
                blob is deleted.
            ServiceUnavailable: ledger or blob store is away; the upload may exist, so its blob stays.
        """
        caps = caps or AccountCaps()
        header = inspect(data, self.limits)
        data = header.picture_of(data)
        upload = new_upload(account, header)
        outlook = self.store.tasks.look(account, caps=caps, idempotency=idempotency, upload_bytes=len(data))
        if outlook.refusal is not None:
            raise outlook.refusal()
        if outlook.first is not None:
            upload = self._known(outlook.first, account)
        else:
            upload = self._store(upload, data, caps, idempotency)
        good_seconds = min(self.retention_seconds, math.inf if ttl_seconds is None else ttl_seconds)
        # From when it was made, so that a repeat reads the same.
        path = self.paths.path(upload, math.floor(made_at_seconds(upload.uid) + good_seconds))
        return Kept(image=image_uuid(upload.uid), path=path, picture=KeptPicture.of(upload))

    def _store(self, upload: Upload, data: bytes, caps: AccountCaps, idempotency: Idempotency | None) -> Upload:
        """Write blob and record; the upload that then stands for the request."""
        self.store.server.require_room()
        self.blobs.put(upload.blob, data)
        try:
            created = self.store.uploads.keep(upload, caps=caps, idempotency=idempotency)
        except (SubmissionRefused, LedgerFull):
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

    def find(self, account: str, image: uuid.UUID) -> KeptPicture | None:
        """The picture that a UUID names: an upload, whose retention begins anew, or else a result.

        None stands for one that is unknown, another account's, past its retention, or no picture but an archive.
        Its blob may be gone by the time that it is used: `Submissions.submit` says so.

        Raises:
            LedgerUnavailable: the ledger does not answer.
        """
        uid = uid_of_image(image)
        if uid is None:
            return None
        found = self.store.uploads.use(uid, account) or self._result(uid, account)
        return None if found is None or found.media_type == _ARCHIVE else KeptPicture.of(found)

    def drop(self, account: str, image: uuid.UUID, key: str | None = None) -> bool:
        """Delete an upload at once; False where there is none. A result goes with its task.

        Args:
            account: whose it is.
            image: which upload.
            key: names this very request, whose repeat answers as the first; None where the caller gave it no name.

        Raises:
            LedgerUnavailable: the ledger does not answer.
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
            _LOG.warning("the blob of an upload without a record stays for the sweeper", blob=str(upload.blob))

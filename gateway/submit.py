"""Use case: accept pictures for cutting out. Knows no protocol and no HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import structlog

from gateway.account_records import Terms
from gateway.headers import PictureHeader, SourceLimits, inspect
from gateway.source import decode_source
from jobs.blobs import BlobStore
from jobs.errors import (
    BlobStoreUnavailable,
    BoxOutsidePicture,
    InsufficientCredits,
    LedgerUnavailable,
    SourceRejected,
    SubmissionRefused,
)
from jobs.ids import BlobKey, TaskUid, new_task_uid, source_key
from jobs.queue import JobQueue
from jobs.record import Idempotency, NewItem, NewTask
from jobs.spec import Box, CutoutSpec, Lane
from jobs.store import LedgerStore

_LOG: Final = structlog.get_logger()
_INSTALLATION: Final = {"version", "model", "precision"}
"""Parts of a spec that the installation chooses, not the caller."""

Corners = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the oriented picture, as the caller sent them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One picture as a caller sent it, and what is to be done with it."""

    source: str
    """A data URI or bare Base64."""
    spec: CutoutSpec
    """Without a box; it is set from `corners` once the picture's size is known."""
    corners: Corners | None = None


@dataclass(frozen=True, slots=True)
class _Picture:
    """A draft that was read."""

    data: bytes
    spec: CutoutSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Submissions:
    """Takes drafts to accepted tasks: blobs, then the ledger's record, then hints."""

    store: LedgerStore
    blobs: BlobStore
    queue: JobQueue
    limits: SourceLimits
    price: int
    """Credits for one picture."""
    queue_cap: int | None = None
    """Pictures of the account that may wait or run; None stands for the ledger's own cap."""

    def on_terms(self, terms: Terms) -> Self:
        """The same for an account with terms of its own."""
        price = self.price if terms.price_credits is None else terms.price_credits
        return replace(self, price=price, queue_cap=terms.queue_cap)

    def submit(
        self, account: str, origin: str, drafts: Sequence[Draft], idempotency_key: str | None = None
    ) -> TaskUid:
        """Accept a task, or answer with the one that the same request made before.

        Args:
            account: who pays.
            origin: what the façade calls this kind of task.
            drafts: the pictures, at least one.
            idempotency_key: the name of this very request; None where the caller gave none.

        Raises:
            SourceRejected: what bytes and header of a picture show, or its box, is not acceptable.
            SubmissionRefused: the ledger did not accept the task; its blobs are deleted.
            ServiceUnavailable: ledger or blob store is away; the task may exist, so its blobs stay.
        """
        pictures = self._read(account, drafts)
        uid = new_task_uid()
        items = tuple(
            NewItem(source=source_key(uid, index), spec=picture.spec, price=self.price)
            for index, picture in enumerate(pictures)
        )
        for item, picture in zip(items, pictures, strict=True):
            self.blobs.put(item.source, picture.data)
        idempotency = idempotency_key and Idempotency(
            key=idempotency_key, content_digest=_digest(origin, drafts, pictures)
        )
        task = NewTask(
            uid=uid,
            account=account,
            origin=origin,
            items=items,
            idempotency=idempotency or None,
            account_cap=self.queue_cap,
        )
        first = self._create(task)
        if first == uid:
            self._hint({item.lane for item in items})
        return first

    def _read(self, account: str, drafts: Sequence[Draft]) -> list[_Picture]:
        """Decode and inspect every picture. An account that cannot pay learns that before its picture's faults."""
        try:
            return [self._read_one(draft) for draft in drafts]
        except SourceRejected:
            balance = self.store.balance(account)
            price = self.price * len(drafts)
            if balance is not None and balance.available < price:
                raise InsufficientCredits(balance.available, price) from None
            raise

    def _read_one(self, draft: Draft) -> _Picture:
        data = decode_source(draft.source, self.limits.max_bytes)
        header = inspect(data, self.limits)
        box = None if draft.corners is None else clamp(draft.corners, header)
        return _Picture(data, draft.spec.model_copy(update={"box": box}))

    def _create(self, task: NewTask) -> TaskUid:
        keys = [item.source for item in task.items]
        try:
            created = self.store.create(task)
        except SubmissionRefused:
            self._delete(keys)
            raise
        if created.uid != task.uid:
            self._delete(keys)
        return created.uid

    def _delete(self, keys: Sequence[BlobKey]) -> None:
        for key in keys:
            try:
                self.blobs.delete(key)
            except BlobStoreUnavailable:
                _LOG.warning("a blob of a refused task stays for the sweeper", blob=str(key))

    def _hint(self, lanes: set[Lane]) -> None:
        for lane in lanes:
            try:
                self.queue.hint(lane)
            except LedgerUnavailable as error:
                # The ledger knows the work, and whoever reaps sends the hint again.
                _LOG.warning("a hint was not sent", lane=lane, reason=str(error))


def clamp(corners: Corners, header: PictureHeader) -> Box:
    """Cut a box to the oriented picture.

    Raises:
        BoxOutsidePicture: nothing of it is left.
    """
    left_px, top_px, right_px, bottom_px = corners
    left_px, top_px = max(left_px, 0), max(top_px, 0)
    right_px, bottom_px = min(right_px, header.width_px), min(bottom_px, header.height_px)
    if right_px <= left_px or bottom_px <= top_px:
        raise BoxOutsidePicture(
            f"the box has no area within the picture of {header.width_px} x {header.height_px} pixels",
            width_px=header.width_px,
            height_px=header.height_px,
        )
    return Box(left_px=left_px, top_px=top_px, right_px=right_px, bottom_px=bottom_px)


def _digest(origin: str, drafts: Sequence[Draft], pictures: Sequence[_Picture]) -> str:
    """A digest of what the caller asked for, once decoded: a repeat has the same, another request has not."""
    state = hashlib.sha256(origin.encode())
    for draft, picture in zip(drafts, pictures, strict=True):
        asked = draft.spec.model_dump_json(exclude=_INSTALLATION)
        state.update(f"\0{asked}\0{draft.corners}\0".encode())
        state.update(hashlib.sha256(picture.data).digest())
    return state.hexdigest()

"""Use case: accept pictures for cutting out. Knows no protocol and no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import structlog

from gateway.account_records import Terms
from gateway.drafts import Draft, Look, content_digest
from gateway.headers import SourceLimits
from gateway.source import decode_source
from jobs.blobs import BlobStore
from jobs.errors import (
    BlobStoreUnavailable,
    InsufficientCredits,
    LedgerUnavailable,
    SourceRejected,
    SubmissionRefused,
)
from jobs.ids import BlobKey, TaskUid, new_task_uid, source_key
from jobs.metric_names import SUBMIT_SECONDS
from jobs.metrics import timed
from jobs.queue import JobQueue
from jobs.record import Idempotency, NewItem, NewTask
from jobs.spec import Lane
from jobs.store import LedgerStore

_LOG: Final = structlog.get_logger()


class DraftRejected(Exception):
    """One of the pictures, or its box, is not acceptable."""

    def __init__(self, index: int, reason: SourceRejected) -> None:
        super().__init__(f"picture {index}: {reason}")
        #: Which of the drafts, counted from 0, and what is wrong with it.
        self.index, self.reason = index, reason


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

    @timed(SUBMIT_SECONDS)
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
            DraftRejected: what bytes and header of a picture show, or its box, is not acceptable.
            SubmissionRefused: the ledger did not accept the task; its blobs are deleted.
            ServiceUnavailable: ledger or blob store is away; the task may exist, so its blobs stay.
        """
        looks = [Look.at(draft, self.limits) for draft in drafts]
        idempotency = None
        if idempotency_key is not None:
            idempotency = Idempotency(key=idempotency_key, content_digest=content_digest(origin, drafts, looks))
            first = self.store.recall(account, idempotency)
            if first is not None:
                return first
        self._refuse_faults(account, looks)
        uid = new_task_uid()
        items = self._store(uid, drafts, looks)
        task = NewTask(
            uid=uid,
            account=account,
            origin=origin,
            items=items,
            idempotency=idempotency,
            account_cap=self.queue_cap,
        )
        first = self._create(task)
        if first == uid:
            self._hint([item.lane for item in items])
        return first

    def _store(self, uid: TaskUid, drafts: Sequence[Draft], looks: Sequence[Look]) -> tuple[NewItem, ...]:
        """Write the pictures as blobs."""
        items = tuple(
            NewItem(source=source_key(uid, index), spec=look.spec, price=self.price)
            for index, look in enumerate(looks)
        )
        for item, draft in zip(items, drafts, strict=True):
            # Decoded once more: cheaper than to hold all pictures of a batch.
            self.blobs.put(item.source, decode_source(draft.source, self.limits.max_bytes))
        return items

    def _refuse_faults(self, account: str, looks: Sequence[Look]) -> None:
        """Raise for the first bad picture. An account that cannot pay learns that before its pictures' faults."""
        rejected = next(
            (DraftRejected(index, look.fault) for index, look in enumerate(looks) if look.fault is not None), None
        )
        if rejected is None:
            return
        balance = self.store.balance(account)
        price = self.price * len(looks)
        if balance is not None and balance.available < price:
            raise InsufficientCredits(balance.available, price)
        raise rejected

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

    def _hint(self, lanes: Sequence[Lane]) -> None:
        """Send a hint for each item: a worker does one item a hint."""
        try:
            for lane in lanes:
                self.queue.hint(lane)
        except LedgerUnavailable as error:
            # The ledger knows the work, and whoever reaps sends the hints that are missing.
            _LOG.warning("hints were not sent", reason=str(error))

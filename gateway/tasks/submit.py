"""Use case: accept pictures for cutting out. Knows no protocol and no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.tasks.drafts import CheckedPicture, Draft, Source, SourceUrl, content_digest
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.web_url import WEB_URL_FORM, is_web_url
from cutgate.jobs.answers import Kept, Outlook
from cutgate.jobs.errors import (
    BlobMissing,
    BlobStoreUnavailable,
    IdempotencyConflict,
    InsufficientCredits,
    SourceRejected,
    SubmissionRefused,
)
from cutgate.jobs.ids import BlobKey, TaskUid, new_task_uid, new_token, source_key
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.metric_names import SUBMIT_SECONDS
from cutgate.jobs.observe.metrics import timed
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import (
    Delivery,
    ErrandKind,
    Idempotency,
    Joining,
    NewItem,
    NewTask,
    Repeats,
    Request,
    Result,
)
from cutgate.jobs.spec import CutoutSpec

MAX_DELIVERIES: Final = 4
"""What a façade may have brought to other servers at a task's end, the account's own callback beside it."""

_LOG: Final = structlog.get_logger(__name__)


class DraftRejected(Exception):
    """One of the pictures, or its box, is not acceptable."""

    def __init__(self, index: int, reason: SourceRejected) -> None:
        super().__init__(f"picture {index}: {reason}")
        #: Which of the drafts, counted from 0, and what is wrong with it.
        self.index, self.reason = index, reason


class PictureGone(Exception):
    """A kept picture was found a moment ago, and is not there any more."""

    def __init__(self, index: int) -> None:
        super().__init__(f"picture {index} is not kept any more")
        #: Which of the drafts, counted from 0.
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a caller asks to have accepted as one task."""

    account: Account
    """Who pays."""
    origin: str
    """What the façade calls this kind of task."""
    drafts: Sequence[Draft]
    """The pictures, at least one."""
    entry: Entry | None = None
    """The request, where it is still to be counted."""
    name: str | None = None
    """Idempotency key: the name of this very request; None where the caller gave none."""
    joins_seconds: float | None = None
    """For how long an equal request without a name joins this task, unless that has failed. Whoever joined, the
    first one too, and waits no more is to be told to `Ledger.leave`."""
    price: int | None = None
    """Credits for one picture, where that is not the account's price."""
    urgent: bool = False
    """Whether somebody waits, so that the pictures come before the account's others."""
    memo: str = ""
    """What the façade wants to find again with the task."""
    asked: str = ""
    """What the caller asked for beside pictures and specs. A repeat has the same."""
    deliveries: Sequence[Delivery] = ()
    """What the caller wants brought to a URL once the task has ended. A repeat has the same."""

    @property
    def only_keeps(self) -> bool:
        """Whether pictures are only kept: for free, and without the account's callback."""
        return _is_only_kept(self.drafts[0].source)

    def all_deliveries(self) -> tuple[Delivery, ...]:
        """The caller's deliveries and the account's callback, none of them twice."""
        url = None if self.only_keeps else self.account.callback_url
        own = () if url is None else (Delivery(kind=ErrandKind.CALLBACK, url=url),)
        return tuple(dict.fromkeys((*self.deliveries, *own)))

    def repeats(self, checked: Sequence[CheckedPicture]) -> Repeats | None:
        """What makes another request a repeat of this one: its name, else its content."""
        if self.name is not None:
            return Idempotency(key=self.name, content_digest=self._digest(checked))
        if self.joins_seconds is not None:
            return Joining(content_digest=self._digest(checked), seconds=self.joins_seconds)
        return None

    def _digest(self, checked: Sequence[CheckedPicture]) -> str:
        return content_digest(self.origin, self.drafts, checked, self.asked, self.deliveries)

    @property
    def can_repeat(self) -> bool:
        """Whether another request can be a repeat of it."""
        return self.name is not None or self.joins_seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submissions:
    """Takes drafts to accepted tasks: blobs, then the ledger's record."""

    store: Ledger
    blobs: BlobStore
    limits: SourceLimits
    price: int
    """Credits for one picture."""
    offers: Offers

    def price_for(self, account: Account) -> int:
        """What an account pays for one picture."""
        own = account.terms.price_credits
        return self.price if own is None else own

    @timed(SUBMIT_SECONDS)
    def submit(self, submission: Submission) -> TaskUid:
        """Accept a task, or answer with the one that the same request made before.

        Raises:
            RateExceeded: the request is one too many.
            KeyChanged: what was known of its credential is no longer so; nothing is stored.
            DraftRejected: what bytes and header of a picture show, or its box, is not acceptable.
            PictureGone: a kept picture is not there any more; nothing is stored.
            SubmissionRefused: the ledger does not accept the task: nothing is written where that was seen before,
                else the blobs are deleted; or no worker would compute it.
            ServiceUnavailable: ledger or blob store is away; the task may exist, so its blobs stay.
            ValueError: the façade's own check is missing: the memo is too long, there are more deliveries than
                `MAX_DELIVERIES`, or a delivery's URL has not the form of `is_web_url`.
        """
        _require_deliverable(submission.deliveries)
        with traces.span("submit", account=submission.account.name, items=len(submission.drafts)):
            checked = [
                CheckedPicture.of(draft, self.limits, digests=submission.can_repeat) for draft in submission.drafts
            ]
            uid = self._submit(submission, checked)
            traces.say(task_uid=uid)
            return uid

    def _submit(self, submission: Submission, checked: Sequence[CheckedPicture]) -> TaskUid:
        own = self.price_for(submission.account) if submission.price is None else submission.price
        price = 0 if submission.only_keeps else own
        repeats = submission.repeats(checked)
        outlook = self._asked(submission, price, repeats)
        if outlook.first is not None:
            return outlook.first
        _refuse(outlook, IdempotencyConflict)
        self.offers.require(draft.spec for draft in submission.drafts if not _needs_no_network(draft.source))
        # An account that cannot pay learns that before its pictures' faults, and these before what may pass.
        _refuse(outlook, InsufficientCredits)
        for index, picture in enumerate(checked):
            if picture.fault is not None:
                raise DraftRejected(index, picture.fault)
        _refuse(outlook, SubmissionRefused)
        self.store.server.require_room()
        uid = new_task_uid()
        task = NewTask(
            uid=uid,
            account=submission.account.name,
            origin=submission.origin,
            items=tuple(
                _item(source_key(uid, index), draft, picture.spec, price=price, urgent=submission.urgent)
                for index, (draft, picture) in enumerate(zip(submission.drafts, checked, strict=True))
            ),
            idempotency=repeats,
            caps=submission.account.terms.caps,
            memo=submission.memo,
            request=Request(uuid=logs.bound("request_uuid"), traceparent=traces.traceparent()),
            deliveries=submission.all_deliveries(),
        )
        self._store(task.items, submission.drafts, checked)
        return self._create(task)

    def _asked(self, submission: Submission, price: int, repeats: Repeats | None) -> Outlook:
        entry = submission.entry
        outlook = self.store.tasks.look(
            submission.account.name,
            caps=submission.account.terms.caps,
            idempotency=repeats,
            item_count=len(submission.drafts),
            price=price * len(submission.drafts),
            keeps=submission.only_keeps,
            use=None if entry is None else entry.use,
            key=None if entry is None else entry.key,
        )
        if entry is not None:
            entry.answered(outlook)
        return outlook

    def _store(self, items: Sequence[NewItem], drafts: Sequence[Draft], checked: Sequence[CheckedPicture]) -> None:
        """Write the pictures as blobs, but for those that are still to be fetched."""
        for index, (item, draft, picture) in enumerate(zip(items, drafts, checked, strict=True)):
            try:
                self._store_one(item.source, draft.source, picture)
                if item.background is not None and picture.background is not None:
                    self._store_one(item.background, draft.background, picture.background)
                if isinstance(draft.source, Kept):
                    self._copy(draft.source, item)
            except BlobMissing:
                self._delete(items[: index + 1])
                raise PictureGone(index) from None

    def _store_one(self, key: BlobKey, source: Source | None, picture: CheckedPicture) -> None:
        if picture.data is not None:
            self.blobs.put(key, picture.data)
        elif isinstance(source, Result):
            self.blobs.copy(source.blob, key)

    def _copy(self, kept: Kept, item: NewItem) -> None:
        for source, target in (
            (kept.source, item.source),
            (kept.mask, item.mask),
            (kept.background, item.background),
        ):
            if source is not None and target is not None:
                self.blobs.copy(source, target)

    def _create(self, task: NewTask) -> TaskUid:
        try:
            created = self.store.tasks.create(task)
        except SubmissionRefused:
            self._delete(task.items)
            raise
        # Any other error may hide that the task was accepted: a full server refuses the repeat of a call whose
        # answer was lost. Pictures without a task go with the sweeps.
        if created.uid != task.uid:
            self._delete(task.items)
        return created.uid

    def _delete(self, items: Sequence[NewItem]) -> None:
        written = [item.source for item in items if item.source_url is None]
        written += [blob for item in items for blob in (item.background, item.mask) if blob is not None]
        for blob in written:
            try:
                self.blobs.delete(blob)
            except BlobStoreUnavailable:
                _LOG.warning("blob_kept", blob=str(blob))


def _item(key: BlobKey, draft: Draft, spec: CutoutSpec, *, price: int, urgent: bool) -> NewItem:
    source, behind = draft.source, draft.background
    item = NewItem(source=key, spec=spec, price=price, urgent=urgent)
    if isinstance(source, SourceUrl):
        item = replace(item, source_url=source.url, keep=source.keep, rate=source.rate)
    if isinstance(source, Kept):
        item = replace(item, mask=_beside(key, source.mask.role))
        return item if source.background is None else replace(item, background=_beside(key, "background"))
    if isinstance(behind, SourceUrl):
        return replace(item, background_url=behind.url)
    return item if behind is None else replace(item, background=_beside(key, "background"))


def _beside(source: BlobKey, role: str) -> BlobKey:
    """A fresh key for what lies beside a source."""
    return replace(source, role=role, token=new_token())


def _refuse(outlook: Outlook, kind: type[SubmissionRefused]) -> None:
    if outlook.refusal is not None and isinstance(outlook.refusal(), kind):
        raise outlook.refusal()


def _needs_no_network(source: Source) -> bool:
    return isinstance(source, Kept) or _is_only_kept(source)


def _is_only_kept(source: Source) -> bool:
    return isinstance(source, SourceUrl) and source.keep


def _require_deliverable(deliveries: Sequence[Delivery]) -> None:
    if len(deliveries) > MAX_DELIVERIES:
        raise ValueError(f"a task has at most {MAX_DELIVERIES} deliveries")
    if not all(is_web_url(delivery.url) for delivery in deliveries):
        raise ValueError(WEB_URL_FORM)

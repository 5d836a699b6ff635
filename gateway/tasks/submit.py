"""Use case: accept pictures for cutting out. Knows no protocol and no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import structlog

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.pictures.kept import KeptPicture
from cutgate.gateway.tasks.drafts import Draft, Look, Source, SourceUrl, content_digest
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.web_url import WEB_URL_FORM, is_web_url
from cutgate.jobs.answers import Outlook
from cutgate.jobs.errors import (
    BlobMissing,
    BlobStoreUnavailable,
    IdempotencyConflict,
    InsufficientCredits,
    LedgerFull,
    SourceRejected,
    SubmissionRefused,
)
from cutgate.jobs.ids import BlobKey, TaskUid, background_key, new_task_uid, new_token, source_key
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.metric_names import SUBMIT_SECONDS
from cutgate.jobs.observe.metrics import timed
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import (
    AccountCaps,
    Delivery,
    DeliveryKind,
    Idempotency,
    Joining,
    NewItem,
    NewTask,
    Repeats,
    Request,
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
class Submissions:
    """Takes drafts to accepted tasks: blobs, then the ledger's record."""

    store: Ledger
    blobs: BlobStore
    limits: SourceLimits
    price: int
    """Credits for one picture."""
    offers: Offers
    caps: AccountCaps = field(default_factory=AccountCaps)
    """How much the account may hold."""
    callback_url: str | None = field(default=None, repr=False)
    """Where the account has the end of each of its tasks told."""
    entry: Entry | None = None
    """The request, where it is still to be counted."""

    def for_account(self, account: Account, entry: Entry | None = None) -> Self:
        """The same on an account's own terms, and with its callback, for one request of it."""
        own = account.terms.price_credits
        return replace(
            self,
            price=self.price if own is None else own,
            caps=account.terms.caps,
            callback_url=account.callback_url,
            entry=entry,
        )

    def for_keeping(self) -> Self:
        """The same for pictures that are only kept: for free, and without the account's callback."""
        return replace(self, price=0, callback_url=None)

    @timed(SUBMIT_SECONDS)
    def submit(
        self,
        account: str,
        origin: str,
        drafts: Sequence[Draft],
        idempotency_key: str | None = None,
        *,
        joins_seconds: float | None = None,
        urgent: bool = False,
        memo: str = "",
        asked: str = "",
        deliveries: Sequence[Delivery] = (),
    ) -> TaskUid:
        """Accept a task, or answer with the one that the same request made before.

        Args:
            account: who pays.
            origin: what the façade calls this kind of task.
            drafts: the pictures, at least one.
            idempotency_key: the name of this very request; None where the caller gave none.
            joins_seconds: for how long an equal request without a name joins this task, unless that has failed.
                Whoever joined, the first one too, and waits no more is to be told to `Ledger.leave`.
            urgent: whether somebody waits, so that the pictures come before the account's others.
            memo: what the façade wants to find again with the task.
            asked: what the caller asked for beside pictures and specs. A repeat has the same.
            deliveries: what the caller wants brought to a URL once the task has ended. A repeat has the same.

        Raises:
            RateExceeded: the request is one too many.
            KeyChanged: what was known of its key is no longer so; nothing is stored.
            DraftRejected: what bytes and header of a picture show, or its box, is not acceptable.
            PictureGone: a kept picture is not there any more; nothing is stored.
            SubmissionRefused: the ledger does not accept the task: nothing is written where that was seen before,
                else the blobs are deleted; or no worker would compute it.
            ServiceUnavailable: ledger or blob store is away; the task may exist, so its blobs stay.
            ValueError: the façade's own check is missing: the memo is too long, there are more deliveries than
                `MAX_DELIVERIES`, or a delivery's URL has not the form of `is_web_url`.
        """
        _require_deliverable(deliveries)
        with traces.span("submit", account=account, items=len(drafts)):
            named = idempotency_key is not None or joins_seconds is not None
            looks = [Look.at(draft, self.limits, digests=named) for draft in drafts]
            repeats: Repeats | None = None
            if named:
                digest = content_digest(origin, drafts, looks, asked, deliveries)
                repeats = _repeats(digest, idempotency_key, joins_seconds)
            uid = self._submit(account, origin, drafts, looks, repeats, urgent, memo, deliveries)
            traces.say(task_uid=uid)
            return uid

    def _submit(
        self,
        account: str,
        origin: str,
        drafts: Sequence[Draft],
        looks: Sequence[Look],
        repeats: Repeats | None,
        urgent: bool,
        memo: str,
        deliveries: Sequence[Delivery],
    ) -> TaskUid:
        outlook = self._look(account, repeats, drafts)
        if outlook.first is not None:
            return outlook.first
        _refuse(outlook, IdempotencyConflict)
        self.offers.require(draft.spec for draft in drafts if not _is_only_kept(draft.source))
        # An account that cannot pay learns that before its pictures' faults, and these before what may pass.
        _refuse(outlook, InsufficientCredits)
        _refuse_faults(looks)
        _refuse(outlook, SubmissionRefused)
        self.store.server.require_room()
        uid = new_task_uid()
        task = NewTask(
            uid=uid,
            account=account,
            origin=origin,
            items=self._items(uid, drafts, looks, urgent),
            idempotency=repeats,
            caps=self.caps,
            memo=memo,
            request=Request(uuid=logs.bound("request_uuid"), traceparent=traces.traceparent()),
            deliveries=self._with_own(deliveries),
        )
        self._store(task.items, drafts, looks)
        return self._create(task)

    def _look(self, account: str, repeats: Repeats | None, drafts: Sequence[Draft]) -> Outlook:
        entry = self.entry
        outlook = self.store.tasks.look(
            account,
            caps=self.caps,
            idempotency=repeats,
            item_count=len(drafts),
            price=self.price * len(drafts),
            keeps=_is_only_kept(drafts[0].source),
            use=None if entry is None else entry.use,
            key=None if entry is None else entry.key,
        )
        if entry is not None:
            entry.answered(outlook)
        return outlook

    def _items(
        self, uid: TaskUid, drafts: Sequence[Draft], looks: Sequence[Look], urgent: bool
    ) -> tuple[NewItem, ...]:
        return tuple(
            self._item(source_key(uid, index), draft, look.spec, urgent)
            for index, (draft, look) in enumerate(zip(drafts, looks, strict=True))
        )

    def _item(self, key: BlobKey, draft: Draft, spec: CutoutSpec, urgent: bool) -> NewItem:
        source, behind = draft.source, draft.background
        item = NewItem(source=key, spec=spec, price=self.price, urgent=urgent)
        if isinstance(source, SourceUrl):
            item = replace(item, source_url=source.url, keep=source.keep)
        if isinstance(behind, SourceUrl):
            return replace(item, background_url=behind.url)
        return (
            item if behind is None else replace(item, background=background_key(key.task, key.index, new_token()))
        )

    def _with_own(self, deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
        """The caller's deliveries and the account's callback, none of them twice."""
        own = () if self.callback_url is None else (Delivery(kind=DeliveryKind.CALLBACK, url=self.callback_url),)
        return tuple(dict.fromkeys((*deliveries, *own)))

    def _store(self, items: Sequence[NewItem], drafts: Sequence[Draft], looks: Sequence[Look]) -> None:
        """Write the pictures as blobs, but for those that are still to be fetched."""
        for index, (item, draft, look) in enumerate(zip(items, drafts, looks, strict=True)):
            try:
                self._store_one(item.source, draft.source, look)
                if item.background is not None and look.background is not None:
                    self._store_one(item.background, draft.background, look.background)
            except BlobMissing:
                self._delete(items[: index + 1])
                raise PictureGone(index) from None

    def _store_one(self, key: BlobKey, source: Source | None, look: Look) -> None:
        if look.data is not None:
            self.blobs.put(key, look.data)
        elif isinstance(source, KeptPicture):
            self.blobs.copy(source.blob, key)

    def _create(self, task: NewTask) -> TaskUid:
        try:
            created = self.store.tasks.create(task)
        except (SubmissionRefused, LedgerFull):
            self._delete(task.items)
            raise
        if created.uid != task.uid:
            self._delete(task.items)
        return created.uid

    def _delete(self, items: Sequence[NewItem]) -> None:
        written = [item.source for item in items if item.source_url is None]
        written += [item.background for item in items if item.background is not None]
        for blob in written:
            try:
                self.blobs.delete(blob)
            except BlobStoreUnavailable:
                _LOG.warning("a blob of a refused task stays for the sweeper", blob=str(blob))


def _repeats(content_digest: str, key: str | None, joins_seconds: float | None) -> Repeats | None:
    """What makes another request a repeat of one: the name that its caller gave it, else its content."""
    if key is not None:
        return Idempotency(key=key, content_digest=content_digest)
    return None if joins_seconds is None else Joining(content_digest=content_digest, seconds=joins_seconds)


def _refuse(outlook: Outlook, kind: type[SubmissionRefused]) -> None:
    if outlook.refusal is not None and isinstance(outlook.refusal(), kind):
        raise outlook.refusal()


def _refuse_faults(looks: Sequence[Look]) -> None:
    """Raise for the first bad picture."""
    for index, look in enumerate(looks):
        if look.fault is not None:
            raise DraftRejected(index, look.fault)


def _is_only_kept(source: Source) -> bool:
    return isinstance(source, SourceUrl) and source.keep


def _require_deliverable(deliveries: Sequence[Delivery]) -> None:
    if len(deliveries) > MAX_DELIVERIES:
        raise ValueError(f"a task has at most {MAX_DELIVERIES} deliveries")
    if not all(is_web_url(delivery.url) for delivery in deliveries):
        raise ValueError(WEB_URL_FORM)

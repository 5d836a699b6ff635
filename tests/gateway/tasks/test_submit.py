"""The use case without HTTP: what is written in which order, and what is deleted when."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typing_extensions import override

from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.submit import DraftRejected, Submissions
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    IdempotencyConflict,
    InsufficientCredits,
    LedgerUnavailable,
    QueueFull,
    SubmissionRefused,
)
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.ledger.answers import Created
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.presets import Choice
from cutgate.jobs.record import NewTask
from cutgate.jobs.spec import CutoutSpec, Lane
from tests.fakes import InlineQueue, MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.ledgers import FreshLedger, FreshPresence

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500)
DRAFT = Draft(source=pictures.BASE64_8X8, spec=CutoutSpec(model="m"))


class WatchedBlobs(MemoryBlobStore):
    """Notes what happens, beside doing it."""

    def __init__(self, events: list[str], *, deletes: bool = True) -> None:
        super().__init__()
        self._events, self._deletes = events, deletes

    @override
    def put(self, key: BlobKey, data: bytes) -> None:
        self._events.append("blob")
        super().put(key, data)

    @override
    def delete(self, key: BlobKey) -> None:
        if not self._deletes:
            raise BlobStoreUnavailable("away")
        super().delete(key)


class WatchedLedger(FreshLedger):
    """Notes CREATE, and may lose the reply to it."""

    def __init__(self, events: list[str], *, cap: int = 10, loses_reply: bool = False) -> None:
        super().__init__(LedgerLimits(account_queue_cap=cap))
        self._events, self._loses_reply = events, loses_reply

    @override
    def create(self, task: NewTask) -> Created:
        self._events.append("create")
        created = super().create(task)
        if self._loses_reply:
            raise LedgerUnavailable("no answer in time")
        return created


def submissions(
    events: list[str],
    *,
    store: FreshLedger | None = None,
    blobs: WatchedBlobs | None = None,
    hint: Callable[[Lane], None] | None = None,
) -> Submissions:
    return Submissions(
        store=store or WatchedLedger(events),
        blobs=blobs or WatchedBlobs(events),
        queue=InlineQueue(hint or (lambda lane: events.append(f"hint {lane}"))),
        limits=LIMITS,
        price=1,
        offers=Offers(presence=FreshPresence(), own=Choice(model=DRAFT.spec.model), memory_seconds=1),
    )


def stored(part: Submissions) -> int:
    assert isinstance(part.blobs, MemoryBlobStore)
    return len(part.blobs.keys())


def test_blob_then_record_then_hint() -> None:
    events: list[str] = []
    submissions(events).submit("a", "Cut", [DRAFT])
    assert events == ["blob", "create", "hint m:exact"]


def test_several_pictures_are_one_task_and_a_hint_each() -> None:
    events: list[str] = []
    part = submissions(events)
    uid = part.submit("a", "Cut", [DRAFT, DRAFT])
    task = part.store.get(uid, "a")
    assert task is not None
    assert [item.source.index for item in task.items] == [0, 1]
    assert events == ["blob", "blob", "create", "hint m:exact", "hint m:exact"]


def test_one_bad_picture_among_several_leaves_nothing() -> None:
    events: list[str] = []
    with pytest.raises(DraftRejected) as caught:
        submissions(events).submit("a", "Cut", [DRAFT, Draft(source="?", spec=DRAFT.spec)])
    assert caught.value.index == 1
    assert events == []


@pytest.mark.parametrize("deletes", [True, False])
def test_a_refusal_deletes_the_blobs_if_it_can_and_stays_a_refusal(*, deletes: bool) -> None:
    events: list[str] = []
    part = submissions(events, store=WatchedLedger(events, cap=1), blobs=WatchedBlobs(events, deletes=deletes))
    part.submit("a", "Cut", [DRAFT])
    with pytest.raises(QueueFull):
        part.submit("a", "Cut", [DRAFT])
    assert stored(part) == (1 if deletes else 2)


def test_a_refusal_for_lack_of_credits_deletes_the_blobs() -> None:
    events: list[str] = []
    part = submissions(events)
    part.store.grant("a", 1)
    with pytest.raises(InsufficientCredits) as caught:
        part.submit("a", "Cut", [DRAFT, DRAFT])
    assert (caught.value.available, caught.value.price) == (1, 2)
    assert isinstance(caught.value, SubmissionRefused)
    assert stored(part) == 0


def test_a_lost_reply_deletes_nothing_for_the_task_may_exist() -> None:
    events: list[str] = []
    part = submissions(events, store=WatchedLedger(events, loses_reply=True))
    with pytest.raises(LedgerUnavailable):
        part.submit("a", "Cut", [DRAFT])
    assert stored(part) == 1
    assert part.store.waiting(Lane("m:exact")) == 1


def test_a_hint_that_fails_does_not_fail_the_task() -> None:
    def away(lane: Lane) -> None:
        raise LedgerUnavailable("the broker is away")

    part = submissions([], hint=away)
    uid = part.submit("a", "Cut", [DRAFT])
    assert part.store.get(uid, "a") is not None
    assert stored(part) == 1


def test_a_repeat_keeps_the_first_blobs_only_and_hints_once() -> None:
    events: list[str] = []
    part = submissions(events)
    first = part.submit("a", "Cut", [DRAFT], "key")
    assert part.submit("a", "Cut", [DRAFT], "key") == first
    task = part.store.get(first, "a")
    assert task is not None
    assert part.blobs.get(task.items[0].source)
    assert stored(part) == 1
    assert events.count("hint m:exact") == 1


def test_a_repeat_is_answered_before_anything_is_written() -> None:
    events: list[str] = []
    part = submissions(events)
    part.submit("a", "Cut", [DRAFT, DRAFT], "key")
    events.clear()
    part.submit("a", "Cut", [DRAFT, DRAFT], "key")
    assert events == []


def test_other_content_under_the_same_key_is_told_before_the_faults_of_its_pictures() -> None:
    part = submissions([])
    part.submit("a", "Cut", [DRAFT], "key")
    with pytest.raises(IdempotencyConflict):
        part.submit("a", "Cut", [Draft(source="?", spec=DRAFT.spec)], "key")
    with pytest.raises(DraftRejected):
        part.submit("a", "Cut", [Draft(source="?", spec=DRAFT.spec)], "other key")


def test_a_repeat_is_known_after_the_model_was_changed() -> None:
    part = submissions([])
    first = part.submit("a", "Cut", [DRAFT], "key")
    assert part.submit("a", "Cut", [Draft(source=DRAFT.source, spec=CutoutSpec(model="new"))], "key") == first


@pytest.mark.parametrize(("corners", "clamped"), [((2, 3, 4, 5), (2, 3, 4, 5)), ((-9, -9, 99, 99), (0, 0, 6, 8))])
def test_boxes_are_cut_to_the_oriented_picture(
    corners: tuple[int, int, int, int], clamped: tuple[int, int, int, int]
) -> None:
    turned = pictures.data_uri(pictures.png(8, 6, exif=pictures.exif_block(6)))
    part = submissions([])
    uid = part.submit("a", "Cut", [Draft(source=turned, spec=DRAFT.spec, corners=corners)])
    task = part.store.get(uid, "a")
    assert task is not None
    box = task.items[0].spec.box
    assert box is not None
    assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == clamped

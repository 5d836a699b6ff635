"""The use case without HTTP: what is written in which order, and what is deleted when."""

from __future__ import annotations

import pytest

from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.submit import DraftRejected
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    IdempotencyConflict,
    InsufficientCredits,
    LedgerUnavailable,
    QueueFull,
    SubmissionRefused,
)
from cutgate.jobs.spec import CutoutSpec
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.use_cases import INLINE, LANE, SPEC, House


@pytest.fixture
def house() -> House:
    return House()


def test_blob_then_record_then_hint(house: House) -> None:
    house.submit(INLINE)
    assert house.events == ["blob", "create", "hint"]
    assert house.hints == [LANE]


def test_several_pictures_are_one_task_and_a_hint_each(house: House) -> None:
    task = house.submit(INLINE, INLINE)
    assert [item.source.index for item in task.items] == [0, 1]
    assert house.events == ["blob", "blob", "create", "hint", "hint"]


def test_one_bad_picture_among_several_leaves_nothing(house: House) -> None:
    with pytest.raises(DraftRejected) as caught:
        house.submit(INLINE, "?")
    assert caught.value.index == 1
    assert house.events == []


@pytest.mark.parametrize("deletes", [True, False])
def test_a_refusal_deletes_the_blobs_if_it_can_and_stays_a_refusal(*, deletes: bool) -> None:
    house = House(cap=1)
    house.submit(INLINE)
    if not deletes:
        failing(house.blobs, delete=BlobStoreUnavailable("away"))
    with pytest.raises(QueueFull):
        house.submit(INLINE)
    assert len(house.blobs.keys()) == (1 if deletes else 2)


def test_a_refusal_for_lack_of_credits_deletes_the_blobs(house: House) -> None:
    house.store.grant("a", 1)
    with pytest.raises(InsufficientCredits) as caught:
        house.submit(INLINE, INLINE)
    assert (caught.value.available, caught.value.price) == (1, 2)
    assert isinstance(caught.value, SubmissionRefused)
    assert house.blobs.keys() == ()


def test_a_lost_reply_deletes_nothing_for_the_task_may_exist() -> None:
    house = House(loses_reply=True)
    kept = house.upload()
    for source in (INLINE, kept):
        with pytest.raises(LedgerUnavailable):
            house.submit(source)
    assert len(house.blobs.keys()) == 3
    assert house.store.waiting(LANE) == 2


def test_a_hint_that_fails_does_not_fail_the_task(house: House) -> None:
    failing(house.part.queue, hint=LedgerUnavailable("the broker is away"))
    house.submit(INLINE)
    assert len(house.blobs.keys()) == 1


def test_a_repeat_is_answered_before_anything_is_written(house: House) -> None:
    first = house.submit(INLINE, INLINE, key="key")
    house.events.clear()
    again = house.submit(INLINE, INLINE, key="key")
    assert again.uid == first.uid
    assert house.events == []
    assert house.blobs.get(again.items[0].source)


def test_other_content_under_the_same_key_is_told_before_the_faults_of_its_pictures(house: House) -> None:
    house.submit(INLINE, key="key")
    with pytest.raises(IdempotencyConflict):
        house.submit("?", key="key")
    with pytest.raises(DraftRejected):
        house.submit("?", key="other key")


def test_a_repeat_is_known_after_the_model_was_changed(house: House) -> None:
    first = house.submit(INLINE, key="key")
    assert house.submit(Draft(source=INLINE, spec=CutoutSpec(model="new")), key="key").uid == first.uid


@pytest.mark.parametrize(("corners", "clamped"), [((2, 3, 4, 5), (2, 3, 4, 5)), ((-9, -9, 99, 99), (0, 0, 6, 8))])
def test_boxes_are_cut_to_the_oriented_picture(
    house: House, corners: tuple[int, int, int, int], clamped: tuple[int, int, int, int]
) -> None:
    turned = pictures.data_uri(pictures.png(8, 6, exif=pictures.exif_block(6)))
    task = house.submit(Draft(source=turned, spec=SPEC, corners=corners))
    box = there(task.items[0].spec.box)
    assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == clamped

"""Drafts with a picture behind the subject: in the request, kept before, or at a URL."""

import base64

import pytest

from cutgate.gateway.tasks.drafts import Draft, Source, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone
from cutgate.jobs.errors import IdempotencyConflict, InsufficientCredits, SourceUnreadable
from cutgate.jobs.record import ItemState
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.use_cases import INLINE, LANE, PNG, SPEC, House

BEACH = pictures.png(16, 9)
BEACH_TEXT = base64.b64encode(BEACH).decode()
URL = "https://pictures.example/beach.png?key=hidden"


@pytest.fixture
def house() -> House:
    return House()


def draft(background: Source) -> Draft:
    return Draft(source=INLINE, spec=SPEC, background=background)


def blobs_of_next(house: House) -> tuple[bytes, bytes]:
    claim = there(house.store.claims.take([LANE], "worker", "token-of-a-claim"))
    return house.blobs.get(claim.source), house.blobs.get(there(claim.background))


def test_one_in_the_request_lies_beside_the_source(house: House) -> None:
    house.submit(draft(BEACH_TEXT))
    assert blobs_of_next(house) == (PNG, BEACH)


def test_one_that_was_kept_is_copied(house: House) -> None:
    kept = house.upload(BEACH)
    house.submit(draft(kept))
    house.blobs.delete(kept.blob)
    assert blobs_of_next(house) == (PNG, BEACH)


def test_one_at_a_url_is_fetched_first(house: House) -> None:
    task = house.submit(draft(SourceUrl(URL)))
    assert task.items[0].state is ItemState.FETCHING
    assert "hidden" not in repr(draft(SourceUrl(URL)))


@pytest.mark.parametrize("background", [base64.b64encode(b"<html>").decode(), SourceUrl("file:///etc/passwd")])
def test_a_bad_one_is_refused_as_such_and_leaves_nothing(house: House, background: Source) -> None:
    with pytest.raises(DraftRejected) as caught:
        house.submit(draft(background))
    reason = caught.value.reason
    assert (reason.details["part"], reason.message.startswith("the background: ")) == ("background", True)
    assert house.blobs.keys() == ()


def test_the_pictures_own_fault_comes_first(house: House) -> None:
    with pytest.raises(DraftRejected) as caught:
        house.submit(Draft(source="AAAA", spec=SPEC, background="AAAA"))
    assert isinstance(caught.value.reason, SourceUnreadable)
    assert "part" not in caught.value.reason.details


def test_one_that_is_gone_leaves_nothing(house: House) -> None:
    kept = house.upload(BEACH)
    house.blobs.delete(kept.blob)
    with pytest.raises(PictureGone):
        house.submit(draft(kept))
    assert house.blobs.keys() == ()


def test_a_refused_task_leaves_nothing(house: House) -> None:
    house.store.accounts.grant("a", 0)
    with pytest.raises(InsufficientCredits):
        house.submit(draft(BEACH_TEXT))
    assert house.blobs.keys() == ()


def test_another_background_makes_another_request(house: House) -> None:
    first = house.submit(draft(BEACH_TEXT), key="key")
    assert house.submit(draft(BEACH_TEXT), key="key").uid == first.uid
    for other in (draft(SourceUrl(URL)), INLINE):
        with pytest.raises(IdempotencyConflict):
            house.submit(other, key="key")

"""Drafts with a picture behind the subject: in the request, kept before, or at a URL."""

import base64

import pytest

from cutgate.gateway.tasks.drafts import Draft, Source, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone
from cutgate.jobs.errors import IdempotencyConflict, SourceUnreadable
from cutgate.jobs.record import ItemState
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.tasks.use_cases import INLINE, LANE, PNG, SPEC, UseCases

BEACH = pictures.png(16, 9)
BEACH_TEXT = base64.b64encode(BEACH).decode()
URL = "https://pictures.example/beach.png?key=hidden"


def draft(background: Source) -> Draft:
    return Draft(source=INLINE, spec=SPEC, background=background)


def blobs_of_next(cases: UseCases) -> tuple[bytes, bytes]:
    claim = there(cases.store.claim([LANE], "worker", "token-of-a-claim"))
    return cases.blobs.get(claim.source), cases.blobs.get(there(claim.background))


def test_one_in_the_request_lies_beside_the_source(cases: UseCases) -> None:
    cases.submit(draft(BEACH_TEXT))
    assert blobs_of_next(cases) == (PNG, BEACH)


def test_one_that_was_kept_is_copied(cases: UseCases) -> None:
    kept = cases.upload(BEACH)
    cases.submit(draft(kept))
    cases.blobs.delete(kept.blob)
    assert blobs_of_next(cases) == (PNG, BEACH)


def test_one_at_a_url_is_fetched_first(cases: UseCases) -> None:
    task = cases.submit(draft(SourceUrl(URL)))
    assert task.items[0].state is ItemState.FETCHING
    assert "hidden" not in repr(draft(SourceUrl(URL)))


@pytest.mark.parametrize("background", [base64.b64encode(b"<html>").decode(), SourceUrl("file:///etc/passwd")])
def test_a_bad_one_is_refused_as_such_and_leaves_nothing(cases: UseCases, background: Source) -> None:
    with pytest.raises(DraftRejected) as caught:
        cases.submit(draft(background))
    reason = caught.value.reason
    assert (reason.details["part"], reason.message.startswith("the background: ")) == ("background", True)
    assert cases.blobs.keys() == ()


def test_the_pictures_own_fault_comes_first(cases: UseCases) -> None:
    with pytest.raises(DraftRejected) as caught:
        cases.submit(Draft(source="AAAA", spec=SPEC, background="AAAA"))
    assert isinstance(caught.value.reason, SourceUnreadable)
    assert "part" not in caught.value.reason.details


def test_one_that_is_gone_leaves_nothing(cases: UseCases) -> None:
    kept = cases.upload(BEACH)
    cases.blobs.delete(kept.blob)
    with pytest.raises(PictureGone):
        cases.submit(draft(kept))
    assert cases.blobs.keys() == ()


def test_another_background_makes_another_request(cases: UseCases) -> None:
    first = cases.submit(draft(BEACH_TEXT), key="key")
    assert cases.submit(draft(BEACH_TEXT), key="key").uid == first.uid
    for other in (draft(SourceUrl(URL)), INLINE):
        with pytest.raises(IdempotencyConflict):
            cases.submit(other, key="key")

"""Tests of submissions whose picture is a URL or a kept one, and of pictures behind the subject."""

import base64
from dataclasses import replace

import pytest

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.tasks.drafts import Draft, Source, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone
from cutgate.gateway.web_url import MAX_URL_CHARACTERS
from cutgate.jobs.errors import (
    BoxOutsidePicture,
    IdempotencyConflict,
    QueueFull,
    SourceTooLarge,
    SourceUnreachable,
    SourceUnreadable,
)
from cutgate.jobs.ids import image_uuid
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.tasks.use_cases import INLINE, LANE, PNG, SPEC, UseCases
from tests.ledgers import stored_item

URL = "https://pictures.example/a.png?key=hidden"


class TestUrls:
    def test_a_repeat_is_known_by_the_text(self, cases: UseCases) -> None:
        first = cases.submit(SourceUrl(URL), key="key")
        assert cases.submit(SourceUrl(URL), key="key").uid == first.uid
        for other in (SourceUrl(URL + "&b"), INLINE):
            with pytest.raises(IdempotencyConflict):
                cases.submit(other, key="key")

    @pytest.mark.parametrize(
        "url",
        [
            *("", "pictures.example/a.png", "file:///etc/passwd", "ftp://pictures.example", "javascript:alert(1)"),
            *("http://", "http:///a.png", "http://?a", "https://user:word@pictures.example", " https://a.example"),
            *(f"https://a.example/{sign}" for sign in ("a b", "\r\nHost: x", "\0", "\ud800")),
            "https://" + "a" * MAX_URL_CHARACTERS,
        ],
    )
    def test_a_url_of_another_form_is_refused(self, cases: UseCases, url: str) -> None:
        with pytest.raises(DraftRejected) as caught:
            cases.submit(INLINE, SourceUrl(url), key="key")
        assert caught.value.index == 1
        assert isinstance(caught.value.reason, SourceUnreachable)
        assert cases.blobs.keys() == ()

    def test_it_takes_no_box_and_shows_nowhere(self) -> None:
        with pytest.raises(ValueError, match="size is not known"):
            Draft(source=SourceUrl(URL), spec=SPEC, corners=(0, 0, 1, 1))
        assert "hidden" not in repr((SourceUrl(URL), Draft(source=SourceUrl(URL), spec=SPEC)))


class TestKeptPictures:
    def test_an_upload_is_copied_so_that_neither_touches_the_other(self, cases: UseCases) -> None:
        kept = cases.pictures.keep(Account(name="a"), PNG)
        source = stored_item(cases.store, cases.submit(kept.as_result()).uid).source
        assert source != kept.blob
        assert cases.pictures.drop("a", image_uuid(kept.uid))
        assert cases.blobs.get(source) == PNG
        assert cases.hints == ["m:exact"]

    def test_a_box_is_cut_to_its_size(self, cases: UseCases) -> None:
        kept = cases.upload(pictures.png(20, 10))
        task = cases.submit(Draft(source=kept, spec=SPEC, corners=(5, 5, 99, 99)))
        box = there(stored_item(cases.store, task.uid).spec.box)
        assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == (5, 5, 20, 10)
        with pytest.raises(DraftRejected) as caught:
            cases.submit(Draft(source=kept, spec=SPEC, corners=(20, 0, 30, 10)))
        assert isinstance(caught.value.reason, BoxOutsidePicture)

    def test_a_repeat_is_known_by_the_picture(self, cases: UseCases) -> None:
        kept, same_bytes = cases.upload(), cases.upload()
        first = cases.submit(kept, key="key")
        assert cases.submit(kept, key="key").uid == first.uid
        with pytest.raises(IdempotencyConflict):
            cases.submit(same_bytes, key="key")
        assert len(cases.blobs.keys()) == 3

    @pytest.mark.parametrize(
        ("size_bytes", "width_px", "height_px"), [(2**20 + 1, 8, 8), (1, 501, 1), (1, 101, 100)]
    )
    def test_one_that_has_grown_over_a_limit_is_refused(
        self, cases: UseCases, size_bytes: int, width_px: int, height_px: int
    ) -> None:
        grown = replace(cases.upload(), size_bytes=size_bytes, width_px=width_px, height_px=height_px)
        with pytest.raises(DraftRejected) as caught:
            cases.submit(grown)
        assert isinstance(caught.value.reason, SourceTooLarge)

    def test_one_that_vanished_meanwhile_leaves_nothing(self, cases: UseCases) -> None:
        cases.store.accounts.grant("a", 5)
        kept = cases.upload()
        cases.blobs.delete(kept.blob)
        with pytest.raises(PictureGone) as caught:
            cases.submit(INLINE, SourceUrl(URL), kept, key="key")
        assert caught.value.index == 2
        assert cases.blobs.keys() == ()
        assert cases.hints == []
        assert there(cases.store.accounts.balance("a")).reserved == 0
        cases.submit(INLINE, key="key")

    def test_a_refusal_deletes_the_copy_and_nothing_else(self) -> None:
        cases = UseCases(cap=1)
        kept = cases.upload()
        cases.submit(SourceUrl(URL))
        with pytest.raises(QueueFull):
            cases.submit(kept)
        assert cases.blobs.keys() == (kept.blob,)


BEACH = pictures.png(16, 9)
BEACH_TEXT = base64.b64encode(BEACH).decode()


def draft(background: Source) -> Draft:
    return Draft(source=INLINE, spec=SPEC, background=background)


def blobs_of_next(cases: UseCases) -> tuple[bytes, bytes]:
    claim = there(cases.store.claims.take([LANE], "worker", "token-of-a-claim"))
    return cases.blobs.get(claim.source), cases.blobs.get(there(claim.background))


def test_a_background_lies_beside_the_source_and_a_kept_one_is_copied(cases: UseCases) -> None:
    cases.submit(draft(BEACH_TEXT))
    kept = cases.upload(BEACH)
    cases.submit(draft(kept))
    cases.blobs.delete(kept.blob)
    assert [blobs_of_next(cases) for _ in range(2)] == [(PNG, BEACH)] * 2


@pytest.mark.parametrize("background", [base64.b64encode(b"<html>").decode(), SourceUrl("file:///etc/passwd")])
def test_a_bad_background_is_refused_as_such_and_leaves_nothing(cases: UseCases, background: Source) -> None:
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


def test_a_background_that_is_gone_leaves_nothing(cases: UseCases) -> None:
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

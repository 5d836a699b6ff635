"""Sources that are not in the request: URLs, and pictures that are kept."""

from dataclasses import replace

import pytest

from cutgate.gateway.tasks.drafts import Draft, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone
from cutgate.gateway.web_url import MAX_URL_CHARACTERS
from cutgate.jobs.errors import (
    BoxOutsidePicture,
    IdempotencyConflict,
    QueueFull,
    SourceTooLarge,
    SourceUnreachable,
)
from cutgate.jobs.ledger.errands import ErrandKind
from cutgate.jobs.record import ItemState
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.use_cases import INLINE, PNG, SPEC, House
from tests.jobs.build import take_errand
from tests.ledgers import stored_item

URL = "https://pictures.example/a.png?key=hidden"


@pytest.fixture
def house() -> House:
    return House()


class TestUrls:
    def test_it_is_fetched_before_a_worker_hears_of_it(self, house: House) -> None:
        task = house.submit(SourceUrl(URL), INLINE)
        assert [item.state for item in task.items] == [ItemState.FETCHING, ItemState.QUEUED]
        assert house.hints == ["m:exact"]
        assert house.blobs.keys() == (stored_item(house.store, task.uid, 1).source,)
        errand = take_errand(house.store)
        assert (errand.kind, errand.task, errand.index, errand.url) == (ErrandKind.FETCH, task.uid, 0, URL)

    def test_a_repeat_is_known_by_the_text(self, house: House) -> None:
        first = house.submit(SourceUrl(URL), key="key")
        assert house.submit(SourceUrl(URL), key="key").uid == first.uid
        for other in (SourceUrl(URL + "&b"), INLINE):
            with pytest.raises(IdempotencyConflict):
                house.submit(other, key="key")

    @pytest.mark.parametrize(
        "url",
        [
            *("", "pictures.example/a.png", "file:///etc/passwd", "ftp://pictures.example", "javascript:alert(1)"),
            *("http://", "http:///a.png", "http://?a", "https://user:word@pictures.example", " https://a.example"),
            *(f"https://a.example/{sign}" for sign in ("a b", "\r\nHost: x", "\0", "\ud800")),
            "https://" + "a" * MAX_URL_CHARACTERS,
        ],
    )
    def test_a_url_of_another_form_is_refused(self, house: House, url: str) -> None:
        with pytest.raises(DraftRejected) as caught:
            house.submit(INLINE, SourceUrl(url), key="key")
        assert caught.value.index == 1
        assert isinstance(caught.value.reason, SourceUnreachable)
        assert house.blobs.keys() == ()

    @pytest.mark.parametrize(
        "url",
        [
            "http://a",
            "HTTPS://Pictures.Example:8443/ä/ö.png?x=@y#z",
            "https://[::1]/a",
            "https://a?b",
            "https://" + "a" * (MAX_URL_CHARACTERS - 8),
        ],
    )
    def test_where_it_leads_is_the_couriers_affair(self, url: str) -> None:
        assert House().submit(SourceUrl(url)).items[0].state is ItemState.FETCHING

    def test_it_takes_no_box_and_shows_nowhere(self) -> None:
        with pytest.raises(ValueError, match="size is not known"):
            Draft(source=SourceUrl(URL), spec=SPEC, corners=(0, 0, 1, 1))
        assert "hidden" not in repr((SourceUrl(URL), Draft(source=SourceUrl(URL), spec=SPEC)))


class TestKeptPictures:
    def test_an_upload_is_copied_so_that_neither_touches_the_other(self, house: House) -> None:
        kept = house.pictures.keep("a", PNG)
        source = stored_item(house.store, house.submit(kept.picture).uid).source
        assert source != kept.picture.blob
        assert house.pictures.drop("a", kept.image)
        assert house.blobs.get(source) == PNG
        assert house.hints == ["m:exact"]

    def test_a_box_is_cut_to_its_size(self, house: House) -> None:
        kept = house.upload(pictures.png(20, 10))
        task = house.submit(Draft(source=kept, spec=SPEC, corners=(5, 5, 99, 99)))
        box = there(stored_item(house.store, task.uid).spec.box)
        assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == (5, 5, 20, 10)
        with pytest.raises(DraftRejected) as caught:
            house.submit(Draft(source=kept, spec=SPEC, corners=(20, 0, 30, 10)))
        assert isinstance(caught.value.reason, BoxOutsidePicture)

    def test_a_repeat_is_known_by_the_picture(self, house: House) -> None:
        kept, same_bytes = house.upload(), house.upload()
        first = house.submit(kept, key="key")
        assert house.submit(kept, key="key").uid == first.uid
        with pytest.raises(IdempotencyConflict):
            house.submit(same_bytes, key="key")
        assert len(house.blobs.keys()) == 3

    @pytest.mark.parametrize(
        ("size_bytes", "width_px", "height_px"), [(2**20 + 1, 8, 8), (1, 501, 1), (1, 101, 100)]
    )
    def test_one_that_has_grown_over_a_limit_is_refused(
        self, house: House, size_bytes: int, width_px: int, height_px: int
    ) -> None:
        grown = replace(house.upload(), size_bytes=size_bytes, width_px=width_px, height_px=height_px)
        with pytest.raises(DraftRejected) as caught:
            house.submit(grown)
        assert isinstance(caught.value.reason, SourceTooLarge)

    def test_one_that_vanished_meanwhile_leaves_nothing(self, house: House) -> None:
        house.store.grant("a", 5)
        kept = house.upload()
        house.blobs.delete(kept.blob)
        with pytest.raises(PictureGone) as caught:
            house.submit(INLINE, SourceUrl(URL), kept, key="key")
        assert caught.value.index == 2
        assert house.blobs.keys() == ()
        assert house.hints == []
        assert there(house.store.balance("a")).reserved == 0
        house.submit(INLINE, key="key")

    def test_a_refusal_deletes_the_copy_and_nothing_else(self) -> None:
        house = House(cap=1)
        kept = house.upload()
        house.submit(SourceUrl(URL))
        with pytest.raises(QueueFull):
            house.submit(kept)
        assert house.blobs.keys() == (kept.blob,)

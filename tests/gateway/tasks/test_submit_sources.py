"""Sources that are not in the request: URLs, and pictures that are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typing_extensions import override

from cutgate.gateway.tasks.drafts import Draft, SourceUrl
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone
from cutgate.gateway.web_url import MAX_URL_CHARACTERS
from cutgate.jobs.errors import (
    BoxOutsidePicture,
    IdempotencyConflict,
    LedgerUnavailable,
    QueueFull,
    SourceTooLarge,
    SourceUnreachable,
)
from cutgate.jobs.ledger.answers import Created
from cutgate.jobs.ledger.errands import ErrandKind
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, NewTask
from tests.gateway import picture_files as pictures
from tests.gateway.use_cases import PNG, SPEC, House
from tests.jobs.build import take_errand
from tests.ledgers import FreshLedger

URL = "https://pictures.example/a.png?key=hidden"


class LosesReply(FreshLedger):
    """A ledger whose answer to CREATE is lost."""

    @override
    def create(self, task: NewTask) -> Created:
        super().create(task)
        raise LedgerUnavailable("no answer in time")


class TestUrls:
    def test_it_is_fetched_before_a_worker_hears_of_it(self) -> None:
        house = House()
        task = house.submit(SourceUrl(URL), pictures.BASE64_8X8)
        assert [item.state for item in task.items] == [ItemState.FETCHING, ItemState.QUEUED]
        assert house.hints == ["m:exact"]
        assert house.blobs.keys() == (task.items[1].source,)
        errand = take_errand(house.store)
        assert (errand.kind, errand.task, errand.index, errand.url) == (ErrandKind.FETCH, task.uid, 0, URL)

    def test_it_costs_and_counts_like_any_other(self) -> None:
        house = House(cap=1)
        house.store.grant("a", 5)
        house.submit(SourceUrl(URL))
        balance = house.store.balance("a")
        assert balance is not None
        assert balance.reserved == 1
        with pytest.raises(QueueFull):
            house.submit(SourceUrl(URL))

    def test_a_repeat_is_known_by_the_text(self) -> None:
        house = House()
        first = house.submit(SourceUrl(URL), key="key")
        assert house.submit(SourceUrl(URL), key="key").uid == first.uid
        for other in (SourceUrl(URL + "&b"), pictures.BASE64_8X8):
            with pytest.raises(IdempotencyConflict):
                house.submit(other, key="key")

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "pictures.example/a.png",
            "file:///etc/passwd",
            "ftp://pictures.example",
            "javascript:alert(1)",
            "http://",
            "http:///a.png",
            "http://?a",
            "https://user:word@pictures.example",
            " https://pictures.example",
            "https://pictures.example/a b",
            "https://pictures.example/\r\nHost: x",
            "https://pictures.example/\0",
            "https://pictures.example/\ud800",
            "https://" + "a" * MAX_URL_CHARACTERS,
        ],
    )
    def test_a_url_of_another_form_is_refused(self, url: str) -> None:
        house = House()
        with pytest.raises(DraftRejected) as caught:
            house.submit(pictures.BASE64_8X8, SourceUrl(url), key="key")
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
    def test_an_upload_is_copied_so_that_neither_touches_the_other(self) -> None:
        house = House()
        kept = house.pictures.keep("a", PNG)
        source = house.submit(kept.picture).items[0].source
        assert source != kept.picture.blob
        assert house.pictures.drop("a", kept.image)
        assert house.blobs.get(source) == PNG
        assert house.hints == ["m:exact"]

    def test_a_result_can_be_cut_out_again(self) -> None:
        house = House()
        house.submit(pictures.BASE64_8X8)
        found = house.pictures.find("a", house.finish_one(b"first result"))
        assert found is not None
        again = house.submit(found)
        assert house.blobs.get(again.items[0].source) == b"first result"
        assert house.blobs.get(found.blob) == b"first result"

    def test_a_box_is_cut_to_its_size(self) -> None:
        house = House()
        kept = house.upload(pictures.png(20, 10))
        uid = house.part.submit("a", "Cut", [Draft(source=kept, spec=SPEC, corners=(5, 5, 99, 99))])
        task = house.store.get(uid, "a")
        assert task is not None
        box = task.items[0].spec.box
        assert box is not None
        assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == (5, 5, 20, 10)
        with pytest.raises(DraftRejected) as caught:
            house.part.submit("a", "Cut", [Draft(source=kept, spec=SPEC, corners=(20, 0, 30, 10))])
        assert isinstance(caught.value.reason, BoxOutsidePicture)

    def test_a_repeat_is_known_by_the_picture(self) -> None:
        house = House()
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
        self, size_bytes: int, width_px: int, height_px: int
    ) -> None:
        house = House()
        grown = replace(house.upload(), size_bytes=size_bytes, width_px=width_px, height_px=height_px)
        with pytest.raises(DraftRejected) as caught:
            house.submit(grown)
        assert isinstance(caught.value.reason, SourceTooLarge)

    def test_one_that_vanished_meanwhile_leaves_nothing(self) -> None:
        house = House()
        house.store.grant("a", 5)
        kept = house.upload()
        house.blobs.delete(kept.blob)
        with pytest.raises(PictureGone) as caught:
            house.submit(pictures.BASE64_8X8, SourceUrl(URL), kept, key="key")
        assert caught.value.index == 2
        assert house.blobs.keys() == ()
        assert house.hints == []
        balance = house.store.balance("a")
        assert balance is not None
        assert balance.reserved == 0
        assert house.part.submit("a", "Cut", [Draft(source=pictures.BASE64_8X8, spec=SPEC)], "key")

    def test_a_refusal_deletes_the_copy_and_nothing_else(self) -> None:
        house = House(cap=1)
        kept = house.upload()
        house.submit(SourceUrl(URL))
        with pytest.raises(QueueFull):
            house.submit(kept)
        assert house.blobs.keys() == (kept.blob,)

    def test_a_lost_reply_deletes_nothing(self) -> None:
        house = House(store=LosesReply(LedgerLimits()))
        kept = house.upload()
        with pytest.raises(LedgerUnavailable):
            house.submit(kept)
        assert len(house.blobs.keys()) == 2

"""Pictures that are kept and named by a UUID: whose they are, and what is left of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from typing_extensions import override

from cutgate.gateway.pictures.kept import KeptPicture, Pictures
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    LedgerUnavailable,
    SourceExpired,
    SourceTooLarge,
    SourceUnreadable,
)
from cutgate.jobs.ids import BlobKey, image_uuid, new_task_uid, parse_task_uid
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.record import Result, Upload
from cutgate.jobs.urls import Address, ResultPaths
from tests.fakes import ManualClock, MemoryBlobStore, failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, Harness
from tests.jobs.build import ERROR
from tests.ledgers import FreshLedger

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500)
DAY_SECONDS = 86_400
PNG = pictures.png()


def kept_pictures(gateway: Harness) -> Pictures:
    settings = gateway.settings
    return Pictures(
        store=gateway.store,
        blobs=gateway.blobs,
        paths=ResultPaths(settings.master_key_bytes()),
        limits=LIMITS,
        retention_seconds=settings.upload_retention_seconds,
    )


@pytest.fixture
def part(gateway: Harness) -> Pictures:
    return kept_pictures(gateway)


def result_of(gateway: Harness, uid: str) -> KeptPicture | None:
    return kept_pictures(gateway).find(ACCOUNT, image_uuid(parse_task_uid(uid)))


def test_an_upload_is_found_again(part: Pictures) -> None:
    kept = part.keep("anna", pictures.png(8, 6, exif=pictures.exif_block(6)))
    assert kept.image.version == 8
    found = part.find("anna", kept.image)
    assert found == kept.picture
    assert (found.media_type, found.width_px, found.height_px) == ("image/png", 6, 8)
    assert part.blobs.get(found.blob) == pictures.png(8, 6, exif=pictures.exif_block(6))
    assert found.size_bytes == len(part.blobs.get(found.blob))


def test_each_upload_is_a_picture_of_its_own(part: Pictures) -> None:
    first, second = part.keep("anna", PNG), part.keep("anna", PNG)
    assert first.image != second.image
    assert part.drop("anna", first.image)
    assert part.find("anna", second.image) is not None


def test_another_account_sees_and_drops_nothing(part: Pictures) -> None:
    kept = part.keep("anna", PNG)
    assert part.find("bert", kept.image) is None
    assert not part.drop("bert", kept.image)
    assert part.find("anna", kept.image) is not None


@pytest.mark.parametrize(
    "image",
    [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.uuid4(), image_uuid(new_task_uid())],
    ids=["least", "greatest", "random", "of a task"],
)
def test_uuids_that_name_nothing(part: Pictures, image: uuid.UUID) -> None:
    assert part.find("anna", image) is None
    assert not part.drop("anna", image)


def test_dropping_deletes_at_once_and_once(part: Pictures) -> None:
    kept = part.keep("anna", PNG)
    assert part.drop("anna", kept.image)
    assert part.find("anna", kept.image) is None
    assert not part.drop("anna", kept.image)
    assert isinstance(part.blobs, MemoryBlobStore)
    assert part.blobs.keys() == ()


class TestResults:
    def test_of_a_task_with_one_picture(self, gateway: Harness) -> None:
        uid = gateway.submit()
        assert result_of(gateway, uid) is None
        result = gateway.finish_one()
        assert result_of(gateway, uid) == KeptPicture.of(result)
        image = image_uuid(parse_task_uid(uid))
        assert kept_pictures(gateway).find("stranger", image) is None
        assert not kept_pictures(gateway).drop(ACCOUNT, image)
        assert result_of(gateway, uid) is not None

    def test_none_of_a_task_that_failed_or_has_several(self, gateway: Harness) -> None:
        failed = gateway.submit()
        gateway.fail_one(ERROR)
        batch = gateway.submit_batch(2)
        for _ in range(2):
            gateway.finish_one()
        assert result_of(gateway, failed) is None
        assert result_of(gateway, batch) is None

    def test_an_archive_is_no_picture(self, gateway: Harness) -> None:
        uid = gateway.submit()
        claim = gateway.claim()
        key = BlobKey(task=claim.task, index=0, role="result", token=claim.token)
        result = Result(blob=key, media_type="application/zip", width_px=8, height_px=8, size_bytes=1)
        assert gateway.store.finish(claim, result)
        assert result_of(gateway, uid) is None


class TestPaths:
    def test_an_upload_is_served_under_its_path(self, gateway: Harness) -> None:
        part = kept_pictures(gateway)
        data = pictures.gif()
        kept = part.keep("anna", data)
        assert kept.path.endswith(".gif")
        client = gateway.app.test_client()
        with client.get(kept.path) as response:
            assert (response.status_code, response.mimetype, response.data) == (200, "image/gif", data)
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        part.drop("anna", kept.image)
        with client.get(kept.path) as response:
            assert response.status_code == 404
        assert kept.path not in repr(kept)

    @pytest.mark.parametrize(
        ("ttl_seconds", "good_seconds"), [(None, DAY_SECONDS), (60, 60), (9 * DAY_SECONDS, DAY_SECONDS)]
    )
    def test_it_is_good_for_the_retention_or_less(self, ttl_seconds: float | None, good_seconds: int) -> None:
        clock = ManualClock(now_seconds=1_000_000.9)
        part = memory_pictures(FreshLedger(LedgerLimits()), clock=clock)
        kept = part.keep("anna", PNG, ttl_seconds)
        _, _, mac, expires, name = urlsplit(kept.path).path.split("/", 4)
        assert int(expires) == 1_000_000 + good_seconds
        address = Address(blob=kept.picture.blob, media_type="image/png", subject_found=True)
        assert part.paths.open(mac, expires, name, clock()) == address
        assert part.paths.open(mac, expires, name, clock() + good_seconds) is None

    @pytest.mark.parametrize(
        ("data", "suffix"),
        [
            (pictures.jpeg(), ".jpg"),
            (pictures.webp(), ".webp"),
            (pictures.bmp(), ".bmp"),
            (pictures.tiff(), ".tif"),
            (pictures.heif(), ".heic"),
            (pictures.heif(brand=b"avif"), ".avif"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_its_name_ends_as_its_format_does(self, data: bytes, suffix: str) -> None:
        assert memory_pictures(FreshLedger(LedgerLimits())).keep("anna", data).path.endswith(suffix)


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (b"", SourceUnreadable),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", SourceUnreadable),
            (b"PK\x03\x04" + bytes(100), SourceUnreadable),
            (PNG[:40], SourceUnreadable),
            (pictures.png_header_only(501, 1), SourceTooLarge),
            (pictures.png_header_only(101, 100), SourceTooLarge),
            (PNG + bytes(2**20), SourceTooLarge),
        ],
        ids=["empty", "svg", "zip", "cut off", "side", "pixels", "bytes"],
    )
    def test_a_bad_picture_leaves_nothing(self, part: Pictures, data: bytes, error: type[Exception]) -> None:
        with pytest.raises(error):
            part.keep("anna", data)
        assert isinstance(part.blobs, MemoryBlobStore)
        assert part.blobs.keys() == ()

    @pytest.mark.parametrize("deletes", [True, False])
    def test_a_refused_record_takes_its_blob_along_if_it_can(self, *, deletes: bool) -> None:
        blobs = MemoryBlobStore() if deletes else failing(MemoryBlobStore(), delete=BlobStoreUnavailable("away"))
        part = memory_pictures(failing(FreshLedger(), keep_upload=SourceExpired("too old")), blobs)
        with pytest.raises(SourceExpired):
            part.keep("anna", PNG)
        assert len(blobs.keys()) == (0 if deletes else 1)

    def test_a_lost_reply_deletes_nothing_for_the_upload_may_exist(self) -> None:
        blobs = MemoryBlobStore()
        part = memory_pictures(failing(FreshLedger(), keep_upload=LedgerUnavailable("no answer in time")), blobs)
        with pytest.raises(LedgerUnavailable):
            part.keep("anna", PNG)
        assert len(blobs.keys()) == 1

    def test_a_dropped_picture_is_gone_although_its_blob_stays(self) -> None:
        blobs = failing(MemoryBlobStore(), delete=BlobStoreUnavailable("away"))
        part = memory_pictures(FreshLedger(LedgerLimits()), blobs)
        kept = part.keep("anna", PNG)
        assert part.drop("anna", kept.image)
        assert part.find("anna", kept.image) is None
        assert len(blobs.keys()) == 1

    def test_the_blob_is_there_before_the_record(self) -> None:
        blobs = MemoryBlobStore()
        seen: list[bool] = []
        part = memory_pictures(WatchedLedger(lambda upload: seen.append(blobs.keys() == (upload.blob,))), blobs)
        part.keep("anna", PNG)
        assert seen == [True]


def test_use_begins_the_retention_anew() -> None:
    clock = ManualClock()
    part = memory_pictures(FreshLedger(LedgerLimits(upload_retention_seconds=100), clock), clock=clock)
    kept = part.keep("anna", PNG)
    for _ in range(3):
        clock.advance(seconds=99)
        assert part.find("anna", kept.image) is not None
    clock.advance(seconds=101)
    assert part.find("anna", kept.image) is None


def memory_pictures(
    store: FreshLedger, blobs: MemoryBlobStore | None = None, clock: ManualClock | None = None
) -> Pictures:
    return Pictures(
        store=store,
        blobs=blobs or MemoryBlobStore(),
        paths=ResultPaths(bytes(32)),
        limits=LIMITS,
        retention_seconds=DAY_SECONDS,
        clock=clock or ManualClock(),
    )


class WatchedLedger(FreshLedger):
    """Says when an upload is recorded."""

    def __init__(self, watch: Callable[[Upload], None]) -> None:
        super().__init__(LedgerLimits())
        self._watch = watch

    @override
    def keep_upload(self, upload: Upload) -> None:
        self._watch(upload)
        super().keep_upload(upload)

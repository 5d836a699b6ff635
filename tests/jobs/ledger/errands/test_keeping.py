"""Items that end as uploads once they are fetched: no worker ever sees them."""

from dataclasses import replace

import pytest

from cutgate.jobs.answers import Balance, Reaped
from cutgate.jobs.errors import UploadsFull
from cutgate.jobs.ids import image_uuid, new_task_uid, uid_of_image
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import AccountCaps, Errand, ItemState, NewItem, TaskStatus
from cutgate.jobs.upkeep.retention import Sweeper
from tests.jobs.build import DELIVERIES, ERROR, SPEC, URL, Ledger, new_task, new_upload


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(
        queue_timeout_seconds=600,
        source_max_age_seconds=200,
        retention_seconds=1_000,
        upload_retention_seconds=5_000,
        account_queue_cap=2,
    )


@pytest.fixture
def errand(ledger: Ledger) -> Errand:
    """One picture that is to be fetched and kept, and its courier."""
    return ledger.fetching(price=0, keep=True)


def test_its_errand_says_so(ledger: Ledger, errand: Errand) -> None:
    assert (errand.keep, errand.source) == (True, None)
    assert not ledger.fetching().keep


def test_kept_it_is_done_and_an_upload(ledger: Ledger, errand: Errand) -> None:
    upload = new_upload()
    assert ledger.errands.kept(errand, upload)
    stored = ledger.task(errand.task)
    assert stored.ended_at_ms is not None
    assert (stored.status, stored.items[0].state) == (TaskStatus.FINISHED, ItemState.DONE)
    assert (stored.items[0].result, stored.items[0].attempts) == (upload.as_result(), 0)
    assert ledger.uploads.use(upload.uid, "alice") == upload
    assert uid_of_image(image_uuid(upload.as_result().blob.task)) == upload.uid


def test_a_repeat_answers_as_the_first_time(ledger: Ledger, errand: Errand) -> None:
    upload = new_upload()
    assert ledger.errands.kept(errand, upload)
    assert ledger.uploads.drop(upload.uid, "alice") == upload
    assert ledger.errands.kept(errand, upload)
    assert ledger.uploads.use(upload.uid, "alice") is None
    assert not ledger.errands.fetch_failed(errand, ERROR)


def test_only_one_of_two_couriers_counts(ledger: Ledger, errand: Errand) -> None:
    late_upload, upload = new_upload(), new_upload()
    ledger.clock.advance(seconds=91)
    second = ledger.next_errand()
    assert not ledger.errands.kept(errand, late_upload)
    assert ledger.errands.kept(second, upload)
    assert not ledger.errands.kept(errand, late_upload)
    assert ledger.uploads.use(late_upload.uid, "alice") is None
    assert ledger.item(errand).result == upload.as_result()


def test_a_price_is_booked_and_a_place_given_back(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 5)
    for _ in range(3):
        assert ledger.errands.kept(ledger.fetching(item_count=2, keep=True), new_upload())
        assert ledger.errands.fetch_failed(ledger.next_errand(), ERROR)
    assert ledger.accounts.balance("alice") == Balance(granted=5, used=3, reserved=0)
    assert ledger.booked("alice") == 3


def test_kept_it_is_never_too_late(ledger: Ledger, errand: Errand) -> None:
    assert ledger.errands.kept(errand, new_upload())
    ledger.clock.advance(seconds=700)
    assert ledger.upkeep.reap() == Reaped()


def test_bytes_that_may_be_swept_are_not_kept(ledger: Ledger, errand: Errand) -> None:
    """A courier that hung: it deletes them, and the errand falls due again."""
    upload = new_upload(uid=new_task_uid(ledger.clock()))
    ledger.clock.advance(seconds=202)
    assert not ledger.errands.kept(errand, upload)
    assert ledger.item(errand).state is ItemState.FETCHING
    assert ledger.errands.kept(ledger.next_errand(), new_upload(uid=new_task_uid(ledger.clock())))


def test_it_outlives_its_task(ledger: Ledger, errand: Errand, memory_blobs: BlobStore) -> None:
    sweeper = Sweeper(ledger, memory_blobs, orphan_grace_seconds=400)
    upload = new_upload()
    memory_blobs.put(upload.blob, b"picture")
    ledger.errands.kept(errand, upload)
    ledger.clock.advance(seconds=1_001)
    assert (sweeper.sweep(), sweeper.sweep_orphans()) == (1, 0)
    assert ledger.tasks.get(errand.task, "alice") is None
    assert memory_blobs.get(upload.blob) == b"picture"
    assert ledger.uploads.use(upload.uid, "alice") == upload
    ledger.clock.advance(seconds=5_001)
    assert sweeper.sweep() == 1
    assert list(memory_blobs.tasks()) == []


def test_each_fetch_ends_in_its_own_way(ledger: Ledger, errand: Errand) -> None:
    with pytest.raises(ValueError, match="kept"):
        ledger.errands.fetched(errand)
    with pytest.raises(ValueError, match="account"):
        ledger.errands.kept(errand, new_upload(account="bob"))
    with pytest.raises(ValueError, match="fetched"):
        ledger.errands.kept(ledger.fetching(), new_upload())
    ledger.ended_task(account="bob", deliveries=DELIVERIES)
    with pytest.raises(ValueError, match="delivery"):
        ledger.errands.kept(ledger.next_errand(), new_upload(account="bob"))


def test_only_what_is_fetched_can_be_kept() -> None:
    task = new_task()
    item = NewItem(source=task.items[0].source, spec=SPEC, keep=True)
    with pytest.raises(ValueError, match="without a task"):
        replace(task, items=(item,))


def test_an_account_without_room_is_told_before_anything_is_fetched(ledger: Ledger) -> None:
    ledger = ledger.limited(account_upload_cap=1)
    ledger.upload()
    with pytest.raises(UploadsFull):
        ledger.submit(source_url=URL, keep=True)
    ledger.submit(source_url=URL)


@pytest.mark.parametrize("caps", [AccountCaps(uploads=1), AccountCaps(upload_bytes=20_000)])
def test_the_accounts_own_caps_count_once_the_picture_is_here(ledger: Ledger, caps: AccountCaps) -> None:
    task = replace(new_task(source_url=URL, keep=True), caps=caps)
    ledger.tasks.create(task)
    ledger.upload()
    errand, upload = ledger.next_errand(), new_upload()
    with pytest.raises(UploadsFull) as caught:
        ledger.errands.kept(errand, upload)
    assert ledger.uploads.use(upload.uid, "alice") is None
    assert ledger.errands.fetch_failed(errand, caught.value.facts())
    assert ledger.error(errand).kind == "uploads_full"

"""Items that end as uploads once they are fetched: no worker ever sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.ids import image_uuid, new_task_uid, new_token, uid_of_image
from cutgate.jobs.ledger.answers import Balance, Leftovers, Reaped
from cutgate.jobs.ledger.errands import Errand
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Item, ItemState, NewItem, NewTask, TaskStatus
from cutgate.jobs.upkeep.retention import Sweeper
from tests.fakes import ManualClock
from tests.jobs.build import (
    DELIVERIES,
    ERROR,
    LANE,
    SPEC,
    URL,
    MakeLedger,
    new_task,
    new_upload,
    run_at_once,
    take_errand,
)

LIMITS = LedgerLimits(
    queue_timeout_seconds=600,
    source_max_age_seconds=200,
    retention_seconds=1_000,
    upload_retention_seconds=5_000,
    account_queue_cap=2,
)


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> RedisLedger:
    return make_ledger(LIMITS)


@pytest.fixture
def task(ledger: RedisLedger) -> NewTask:
    """One picture that is to be fetched and kept."""
    task = new_task(price=0, source_url=URL, keep=True)
    ledger.create(task)
    return task


def item_of(ledger: RedisLedger, errand: Errand) -> Item:
    task = ledger.get(errand.task, errand.account)
    assert task is not None
    return task.items[errand.index]


def test_its_errand_says_so(ledger: RedisLedger, task: NewTask) -> None:
    errand = take_errand(ledger)
    assert (errand.task, errand.keep, errand.source) == (task.uid, True, None)
    ledger.create(new_task(source_url=URL))
    assert not take_errand(ledger).keep


def test_kept_it_is_done_and_an_upload(ledger: RedisLedger, task: NewTask) -> None:
    errand, upload = take_errand(ledger), new_upload()
    assert ledger.kept(errand, upload)
    stored = ledger.get(task.uid, "alice")
    assert stored is not None
    assert stored.ended_at_ms is not None
    assert (stored.status, stored.items[0].state) == (TaskStatus.FINISHED, ItemState.DONE)
    assert (stored.items[0].result, stored.items[0].attempts) == (upload.as_result(), 0)
    assert ledger.use_upload(upload.uid, "alice") == upload
    assert uid_of_image(image_uuid(upload.as_result().blob.task)) == upload.uid


def test_no_worker_sees_it(ledger: RedisLedger, task: NewTask) -> None:
    ledger.kept(take_errand(ledger), new_upload())
    assert (ledger.waiting(LANE), ledger.claim([LANE], "worker-1", new_token())) == (0, None)
    assert (ledger.errands_due(), ledger.unfinished("alice")) == (0, ())


def test_a_repeat_answers_as_the_first_time(ledger: RedisLedger, task: NewTask) -> None:
    errand, upload = take_errand(ledger), new_upload()
    assert ledger.kept(errand, upload)
    assert ledger.drop_upload(upload.uid, "alice") == upload
    assert ledger.kept(errand, upload)
    assert ledger.use_upload(upload.uid, "alice") is None
    assert not ledger.fetch_failed(errand, ERROR)


def test_only_one_of_two_couriers_counts(ledger: RedisLedger, task: NewTask, clock: ManualClock) -> None:
    late, late_upload, upload = take_errand(ledger), new_upload(), new_upload()
    clock.advance(seconds=91)
    errand = take_errand(ledger)
    assert not ledger.kept(late, late_upload)
    assert ledger.kept(errand, upload)
    assert not ledger.kept(late, late_upload)
    assert ledger.use_upload(late_upload.uid, "alice") is None
    assert item_of(ledger, errand).result == upload.as_result()


def test_only_one_of_two_ends_counts(ledger: RedisLedger, task: NewTask) -> None:
    errand, upload = take_errand(ledger), new_upload()
    answers = run_at_once(
        4, lambda n: ledger.kept(errand, upload) if n % 2 else ledger.fetch_failed(errand, ERROR)
    )
    done = item_of(ledger, errand).state is ItemState.DONE
    assert answers == [not done, done] * 2
    assert (ledger.use_upload(upload.uid, "alice") is not None) == done


def test_a_price_is_booked_and_a_place_given_back(ledger: RedisLedger) -> None:
    ledger.grant("alice", 5)
    for _ in range(3):
        ledger.create(new_task(item_count=2, price=1, source_url=URL, keep=True))
        assert ledger.kept(take_errand(ledger), new_upload())
        assert ledger.fetch_failed(take_errand(ledger), ERROR)
    assert ledger.balance("alice") == Balance(granted=5, used=3, reserved=0)
    assert ledger.booked("alice") == 3


def test_its_end_makes_deliveries_due(ledger: RedisLedger) -> None:
    ledger.create(new_task(source_url=URL, keep=True, deliveries=DELIVERIES))
    assert ledger.kept(take_errand(ledger), new_upload())
    assert ledger.errands_due() == len(DELIVERIES)


def test_terminated_it_is_no_upload(ledger: RedisLedger, task: NewTask) -> None:
    errand, upload = take_errand(ledger), new_upload()
    assert ledger.terminate(task.uid, "alice") == Leftovers()
    assert not ledger.kept(errand, upload)
    assert ledger.use_upload(upload.uid, "alice") is None


def test_kept_it_is_never_too_late(ledger: RedisLedger, task: NewTask, clock: ManualClock) -> None:
    assert ledger.kept(take_errand(ledger), new_upload())
    clock.advance(seconds=700)
    assert ledger.reap("reaper-1", {LANE: 0}) == Reaped()


def test_bytes_that_may_be_swept_are_not_kept(ledger: RedisLedger, task: NewTask, clock: ManualClock) -> None:
    """A courier that hung: it deletes them, and the errand falls due again."""
    errand, upload = take_errand(ledger), new_upload(uid=new_task_uid(clock()))
    clock.advance(seconds=202)
    assert not ledger.kept(errand, upload)
    assert item_of(ledger, errand).state is ItemState.FETCHING
    assert ledger.kept(take_errand(ledger), new_upload(uid=new_task_uid(clock())))


def test_it_outlives_its_task(
    ledger: RedisLedger, task: NewTask, memory_blobs: BlobStore, clock: ManualClock
) -> None:
    sweeper = Sweeper(ledger, memory_blobs, orphan_grace_seconds=400)
    upload = new_upload()
    memory_blobs.put(upload.blob, b"picture")
    ledger.kept(take_errand(ledger), upload)
    clock.advance(seconds=1_001)
    assert (sweeper.sweep(), sweeper.sweep_orphans()) == (1, 0)
    assert ledger.get(task.uid, "alice") is None
    assert memory_blobs.get(upload.blob) == b"picture"
    assert ledger.use_upload(upload.uid, "alice") == upload
    clock.advance(seconds=5_001)
    assert sweeper.sweep() == 1
    assert list(memory_blobs.tasks()) == []


def test_each_fetch_ends_in_its_own_way(ledger: RedisLedger, task: NewTask) -> None:
    to_keep = take_errand(ledger)
    with pytest.raises(ValueError, match="kept"):
        ledger.fetched(to_keep)
    with pytest.raises(ValueError, match="account"):
        ledger.kept(to_keep, new_upload(account="bob"))
    ledger.create(new_task(source_url=URL))
    with pytest.raises(ValueError, match="fetched"):
        ledger.kept(take_errand(ledger), new_upload())
    ledger.create(delivered := new_task(account="bob", deliveries=DELIVERIES))
    assert ledger.terminate(delivered.uid, "bob")
    with pytest.raises(ValueError, match="delivery"):
        ledger.kept(take_errand(ledger), new_upload(account="bob"))


def test_only_what_is_fetched_can_be_kept() -> None:
    task = new_task()
    item = NewItem(source=task.items[0].source, spec=SPEC, keep=True)
    with pytest.raises(ValueError, match="without a task"):
        replace(task, items=(item,))

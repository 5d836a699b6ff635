"""What is past its time goes: tasks and their blobs, and blobs of no task, with every blob store."""

from __future__ import annotations

from typing import cast

import pytest
from typing_extensions import override

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import BlobMissing, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, TaskUid, new_task_uid, source_key
from cutgate.jobs.ledger.store import LedgerStore
from cutgate.jobs.ledger.upkeep import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import NewTask
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.retention import Sweeper
from tests.fakes import ManualClock, MemoryBlobStore
from tests.jobs.build import MakeLedger, claim_next, new_task, result_of, run_at_once
from tests.waiting import eventually

GRACE_SECONDS = 400
LIMITS = LedgerLimits(
    retention_seconds=1_000, source_max_age_seconds=GRACE_SECONDS / 2, account_queue_cap=2 * BATCH
)


every_store = pytest.mark.parametrize(
    "blobs", ["memory", "file", "s3", pytest.param("minio", marks=pytest.mark.needs("minio"))], indirect=True
)
"""For what asks a store for more than single blobs."""


@pytest.fixture
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    kind = getattr(request, "param", "memory")
    return cast("BlobStore", request.getfixturevalue(f"{kind}_blobs"))


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> LedgerStore:
    return make_ledger(LIMITS)


@pytest.fixture
def sweeper(ledger: LedgerStore, blobs: BlobStore) -> Sweeper:
    return Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS)


def submitted(ledger: LedgerStore, blobs: BlobStore, item_count: int = 2) -> NewTask:
    """A task with its sources in the blob store."""
    task = new_task(item_count=item_count)
    for item in task.items:
        blobs.put(item.source, b"source")
    ledger.create(task)
    return task


def ended(ledger: LedgerStore, blobs: BlobStore) -> NewTask:
    """A task with all of its results in the blob store."""
    task = submitted(ledger, blobs)
    for _ in task.items:
        claim = claim_next(ledger)
        blobs.put(result_of(claim).blob, b"result")
        ledger.finish(claim, result_of(claim))
    return task


def is_stored(blobs: BlobStore, key: BlobKey) -> bool:
    try:
        blobs.get(key)
    except BlobMissing:
        return False
    return True


class TestExpiredTasks:
    @every_store
    def test_record_and_blobs_go(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        task = ended(ledger, blobs)
        clock.advance(seconds=1_001)
        assert sweeper.sweep() == 1
        assert ledger.get(task.uid, "alice") is None
        assert list(blobs.tasks()) == []
        assert ledger.unrecorded([task.uid], 0) == (task.uid,)
        assert sweeper.sweep() == 0

    def test_nothing_goes_before(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        task = ended(ledger, blobs)
        clock.advance(seconds=990)
        assert sweeper.sweep() == 0
        assert sweeper.sweep_orphans() == 0
        stored = ledger.get(task.uid, "alice")
        assert stored is not None
        assert all(item.result is not None and is_stored(blobs, item.result.blob) for item in stored.items)

    def test_an_open_task_stays_however_old(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        task = submitted(ledger, blobs)
        clock.advance(seconds=100_000)
        assert (sweeper.sweep(), sweeper.sweep_orphans()) == (0, 0)
        assert claim_next(ledger).task == task.uid
        assert all(is_stored(blobs, item.source) for item in task.items)

    def test_more_than_one_batch(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        for _ in range(BATCH + 5):
            ledger.create(new_task())
            claim = claim_next(ledger)
            ledger.finish(claim, result_of(claim))
        clock.advance(seconds=1_001)
        assert sweeper.sweep() == BATCH + 5

    @every_store
    def test_several_sweepers_at_once(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        for _ in range(10):
            ended(ledger, blobs)
        clock.advance(seconds=1_001)
        run_at_once(4, lambda _: sweeper.sweep())
        assert list(blobs.tasks()) == []
        assert ledger.hide_expired() == ()

    def test_credits_stay_used(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        ledger.grant("alice", 10)
        ended(ledger, blobs)
        before = ledger.balance("alice")
        clock.advance(seconds=1_001)
        sweeper.sweep()
        assert ledger.balance("alice") == before


class TestStoppedInBetween:
    """Whoever stops after a step leaves what the next sweep finds."""

    @every_store
    def test_after_hiding(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        task = ended(ledger, blobs)
        clock.advance(seconds=1_001)
        assert ledger.hide_expired() == (task.uid,)
        assert ledger.get(task.uid, "alice") is None
        assert sweeper.sweep() == 1
        assert list(blobs.tasks()) == []

    def test_after_the_blobs(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        task = ended(ledger, blobs)
        clock.advance(seconds=1_001)
        ledger.hide_expired()
        blobs.delete_task(task.uid)
        assert ledger.unrecorded([task.uid], 0) == ()
        assert sweeper.sweep() == 1
        assert ledger.unrecorded([task.uid], 0) == (task.uid,)

    def test_hidden_is_hidden_for_good(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        """A longer retention does not bring back a task whose blobs are going."""
        task = ended(make_ledger(LIMITS), MemoryBlobStore())
        clock.advance(seconds=1_001)
        make_ledger(LIMITS).hide_expired()
        patient = make_ledger(LedgerLimits(retention_seconds=100_000))
        assert patient.get(task.uid, "alice") is None
        assert not patient.terminate(task.uid, "alice")

    def test_only_a_hidden_record_can_be_forgotten(self, ledger: LedgerStore, blobs: BlobStore) -> None:
        task = ended(ledger, blobs)
        ledger.forget(task.uid)
        ledger.forget(new_task_uid())
        assert ledger.get(task.uid, "alice") is not None


class TestOrphans:
    @every_store
    def test_blobs_of_no_task_go_after_the_grace_time(
        self, ledger: LedgerStore, blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        kept = submitted(ledger, blobs)
        orphan = source_key(new_task_uid(), 0)
        blobs.put(orphan, b"orphan")
        clock.advance(seconds=GRACE_SECONDS - 10)
        assert sweeper.sweep_orphans() == 0
        assert is_stored(blobs, orphan)
        clock.advance(seconds=20)
        assert sweeper.sweep_orphans() == 1
        assert list(blobs.tasks()) == [kept.uid]

    def test_no_task_can_appear_whose_blobs_went(
        self, ledger: LedgerStore, clock: ManualClock, sweeper: Sweeper
    ) -> None:
        task = new_task()
        clock.advance(seconds=GRACE_SECONDS + 1)
        assert ledger.unrecorded([task.uid], GRACE_SECONDS) == (task.uid,)
        with pytest.raises(Exception, match="too long ago"):
            ledger.create(task)

    @every_store
    def test_many(self, ledger: LedgerStore, sweeper: Sweeper, blobs: BlobStore, clock: ManualClock) -> None:
        for _ in range(BATCH + 5):
            blobs.put(source_key(new_task_uid(), 0), b"")
        clock.advance(seconds=GRACE_SECONDS + 10)
        assert sweeper.sweep_orphans() == BATCH + 5
        assert list(blobs.tasks()) == []


class Faulty(MemoryBlobStore):
    """Storage whose next deletes fail."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []

    @override
    def delete_task(self, uid: TaskUid) -> None:
        if self.faults:
            raise self.faults.pop()
        super().delete_task(uid)


def test_what_cannot_be_deleted_is_found_again(ledger: LedgerStore, clock: ManualClock) -> None:
    blobs = Faulty()
    sweeper = Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS)
    tasks = [ended(ledger, blobs) for _ in range(3)]
    clock.advance(seconds=1_001)
    away = BlobStoreUnavailable("permission denied")
    blobs.faults = [away] * 3
    assert sweeper.sweep() == 0
    assert set(blobs.tasks()) == {task.uid for task in tasks}
    assert ledger.get_many([task.uid for task in tasks], "alice") == (None,) * 3
    # The one that stays comes again with the next batch, which is asked for because the others could go.
    blobs.faults = [away]
    assert sweeper.sweep() == 3


def test_loops_outlive_every_fault(ledger: LedgerStore, clock: ManualClock) -> None:
    blobs = Faulty()
    ended(ledger, blobs)
    clock.advance(seconds=1_001)
    blobs.put(source_key(new_task_uid(), 0), b"orphan")
    blobs.faults = [ZeroDivisionError("a bug"), BlobStoreUnavailable("away")]
    sweeper = Sweeper(ledger, blobs, orphan_grace_seconds=0.04)
    with Every(0.01, sweeper.sweep, "retention"), Every(0.01, sweeper.sweep_orphans, "orphans"):
        eventually(lambda: not list(blobs.tasks()))

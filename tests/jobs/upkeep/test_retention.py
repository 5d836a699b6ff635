"""What is past its time goes: tasks and their blobs, and blobs of no task, with every blob store."""

from pathlib import Path
from typing import cast

import pytest
from typing_extensions import override

from cutgate.jobs.answers import Balance
from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, TaskUid, new_task_uid, source_key
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import ItemState, NewTask
from cutgate.jobs.upkeep.retention import DEFER_SECONDS, Sweeper
from tests.fakes import MemoryBlobStore, failing
from tests.jobs.build import Ledger, new_task, result_of

GRACE_SECONDS = 400
every_store = pytest.mark.parametrize(
    "blobs", ["memory", "file", "s3", pytest.param("minio", marks=pytest.mark.needs("minio"))], indirect=True
)
"""For what asks a store for more than single blobs."""


@pytest.fixture
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    kind = getattr(request, "param", "memory")
    return cast("BlobStore", request.getfixturevalue(f"{kind}_blobs"))


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(retention_seconds=1_000, source_max_age_seconds=GRACE_SECONDS / 2)


@pytest.fixture
def sweeper(ledger: Ledger, blobs: BlobStore) -> Sweeper:
    return Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS)


def submitted(ledger: Ledger, blobs: BlobStore, item_count: int = 2) -> NewTask:
    """A task with its sources in the blob store."""
    task = new_task(item_count=item_count)
    for item in task.items:
        blobs.put(item.source, b"source")
    ledger.tasks.create(task)
    return task


def ended(ledger: Ledger, blobs: BlobStore) -> NewTask:
    """A task with all of its results in the blob store."""
    task = submitted(ledger, blobs)
    for _ in task.items:
        claim = ledger.next_claim()
        blobs.put(result_of(claim).blob, b"result")
        ledger.done(claim)
    return task


class TestExpiredTasks:
    @every_store
    def test_record_and_blobs_go(self, ledger: Ledger, blobs: BlobStore, sweeper: Sweeper) -> None:
        ledger.accounts.grant("alice", 10)
        task = ended(ledger, blobs)
        ledger.clock.advance(seconds=1_001)
        assert sweeper.sweep() == 1
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=2, reserved=0)
        assert ledger.tasks.get(task.uid, "alice") is None
        assert list(blobs.tasks()) == []
        assert ledger.upkeep.unrecorded([task.uid], 0) == (task.uid,)
        assert sweeper.sweep() == 0

    def test_nothing_goes_before(self, ledger: Ledger, blobs: BlobStore, sweeper: Sweeper) -> None:
        task = ended(ledger, blobs)
        ledger.clock.advance(seconds=990)
        assert sweeper.sweep() == 0
        assert sweeper.sweep_orphans() == 0
        stored = ledger.task(task.uid)
        assert [item.result and blobs.get(item.result.blob) for item in stored.items] == [b"result"] * 2

    def test_an_open_task_stays_however_old(self, ledger: Ledger, blobs: BlobStore, sweeper: Sweeper) -> None:
        task = submitted(ledger, blobs)
        ledger.clock.advance(seconds=100_000)
        assert (sweeper.sweep(), sweeper.sweep_orphans()) == (0, 0)
        assert ledger.item(ledger.next_claim()).state is ItemState.RUNNING
        assert [blobs.get(item.source) for item in task.items] == [b"source"] * 2


class TestStoppedInBetween:
    """Whoever stops after a step leaves what the next sweep finds."""

    @pytest.mark.parametrize("blobs_went", [False, True])
    def test_after_hiding(self, ledger: Ledger, blobs: BlobStore, sweeper: Sweeper, blobs_went: bool) -> None:
        task = ended(ledger, blobs)
        ledger.clock.advance(seconds=1_001)
        assert ledger.expired() == (task.uid,)
        assert ledger.tasks.get(task.uid, "alice") is None
        if blobs_went:
            blobs.delete_task(task.uid)
        assert ledger.upkeep.unrecorded([task.uid], 0) == ()
        assert sweeper.sweep() == 1
        assert list(blobs.tasks()) == []
        assert ledger.upkeep.unrecorded([task.uid], 0) == (task.uid,)

    def test_hidden_is_hidden_for_good(self, ledger: Ledger) -> None:
        """A longer retention does not bring back a task whose blobs are going."""
        task = ended(ledger, MemoryBlobStore())
        ledger.clock.advance(seconds=1_001)
        ledger.expired()
        patient = ledger.limited(retention_seconds=100_000)
        assert patient.tasks.get(task.uid, "alice") is None
        assert not patient.tasks.terminate(task.uid, "alice")

    def test_only_a_hidden_record_can_be_forgotten(self, ledger: Ledger, blobs: BlobStore) -> None:
        task = ended(ledger, blobs)
        ledger.upkeep.forget([task.uid])
        ledger.upkeep.forget([new_task_uid()])
        assert ledger.tasks.get(task.uid, "alice") is not None


class TestOrphans:
    @every_store
    def test_blobs_of_no_task_go_after_the_grace_time(
        self, ledger: Ledger, blobs: BlobStore, sweeper: Sweeper
    ) -> None:
        kept = submitted(ledger, blobs)
        orphan = source_key(new_task_uid(), 0)
        blobs.put(orphan, b"orphan")
        ledger.clock.advance(seconds=GRACE_SECONDS - 10)
        assert sweeper.sweep_orphans() == 0
        assert blobs.get(orphan) == b"orphan"
        ledger.clock.advance(seconds=20)
        assert sweeper.sweep_orphans() == 1
        assert list(blobs.tasks()) == [kept.uid]

    def test_what_dead_writers_left_goes(self, ledger: Ledger, file_blobs: BlobStore, tmp_path: Path) -> None:
        """Half a blob, which no record names."""
        sweeper = Sweeper(ledger, file_blobs, orphan_grace_seconds=GRACE_SECONDS)
        root, half = tmp_path / "blobs", new_task_uid()
        kept = submitted(ledger, file_blobs)
        left = root / half[4:6] / f"{half}-0-source-{'a' * 22}"
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"half")
        ledger.clock.advance(seconds=GRACE_SECONDS + 10)
        assert sweeper.sweep_orphans() == 1
        assert [file_blobs.get(item.source) for item in kept.items] == [b"source"] * 2
        assert len([path for path in root.rglob("*") if not path.is_dir()]) == 2

    def test_no_task_can_appear_whose_blobs_went(self, ledger: Ledger, sweeper: Sweeper) -> None:
        task = new_task()
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        assert ledger.upkeep.unrecorded([task.uid], GRACE_SECONDS) == (task.uid,)
        with pytest.raises(Exception, match="too long ago"):
            ledger.tasks.create(task)

    def test_many(self, ledger: Ledger, sweeper: Sweeper, blobs: BlobStore) -> None:
        for _ in range(BATCH + 5):
            blobs.put(source_key(new_task_uid(), 0), b"")
        ledger.clock.advance(seconds=GRACE_SECONDS + 10)
        assert sweeper.sweep_orphans(however_many=True) == BATCH + 5
        assert list(blobs.tasks()) == []


class Faulty(MemoryBlobStore):
    """Storage that keeps the blobs of some tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[TaskUid] = set()

    @override
    def delete(self, *keys: BlobKey) -> None:
        if self.kept & {key.task for key in keys}:
            raise BlobStoreUnavailable("permission denied")
        super().delete(*keys)


def test_what_cannot_be_deleted_is_found_again(ledger: Ledger) -> None:
    blobs = Faulty()
    sweeper = Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS)
    tasks = [ended(ledger, blobs) for _ in range(3)]
    ledger.clock.advance(seconds=1_001)
    blobs.kept = {task.uid for task in tasks}
    assert sweeper.sweep() == 0
    assert set(blobs.tasks()) == blobs.kept
    assert ledger.tasks.get_many([task.uid for task in tasks], "alice") == (None,) * 3
    blobs.kept = set()
    assert sweeper.sweep() == 0  # it is out of the others' way
    ledger.clock.advance(seconds=DEFER_SECONDS + 1)
    assert sweeper.sweep() == 3


def test_what_cannot_be_deleted_keeps_nothing_else_back(ledger: Ledger) -> None:
    """As many as a batch holds, and older than the rest."""
    blobs = Faulty()
    blobs.kept = {ended(ledger, blobs).uid for _ in range(BATCH)}
    others = {ended(ledger, blobs).uid for _ in range(3)}
    ledger.clock.advance(seconds=1_001)
    assert Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS).sweep() == 3
    assert ledger.upkeep.spent() == ()
    assert not others & set(blobs.tasks())


def test_sources_that_keep_coming_do_not_keep_records_from_going(ledger: Ledger) -> None:
    blobs = MemoryBlobStore()
    tasks = [ended(ledger, blobs) for _ in range(BATCH + 1)]
    ledger.clock.advance(seconds=1_001)
    rounds = iter([True, False])
    assert Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS).sweep(lambda: next(rounds)) == BATCH
    assert ledger.figures().overdue == 2 * len(tasks) - BATCH + len(tasks) - BATCH


def test_a_storage_that_is_away_puts_nothing_off(ledger: Ledger) -> None:
    blobs = MemoryBlobStore()
    away = BlobStoreUnavailable("away")
    task, broken = ended(ledger, blobs), failing(MemoryBlobStore(), delete=away, check=away)
    ledger.clock.advance(seconds=1_001)
    assert Sweeper(ledger, broken, orphan_grace_seconds=GRACE_SECONDS).sweep() == 0
    assert list(blobs.tasks()) == [task.uid]
    assert Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS).sweep() == 1


def test_sources_go_a_minute_after_their_items(ledger: Ledger) -> None:
    """A FINISH that a failover loses is made again: until then its picture is there."""
    blobs = MemoryBlobStore()
    claim = ledger.claimed()
    blobs.put(claim.source, b"picture")
    assert ledger.done(claim)
    sweeper = Sweeper(ledger, blobs, orphan_grace_seconds=GRACE_SECONDS)
    ledger.clock.advance(seconds=30)
    sweeper.sweep()
    assert blobs.get(claim.source) == b"picture"
    ledger.clock.advance(seconds=31)
    unavailable = BlobStoreUnavailable("away")
    away = failing(MemoryBlobStore(), delete=unavailable, check=unavailable)
    Sweeper(ledger, away, orphan_grace_seconds=GRACE_SECONDS).sweep()
    assert ledger.upkeep.spent() == (claim.source,)
    sweeper.sweep()
    assert (blobs.keys(), ledger.upkeep.spent()) == ((), ())


@pytest.mark.parametrize("charged", [False, True])
def test_what_failed_through_no_fault_of_its_own_is_kept_as_long_as_its_task(
    ledger: Ledger, charged: bool
) -> None:
    ledger = ledger.limited(max_attempts=1, charge_strikes=charged)
    claim = ledger.claimed()
    ledger.clock.advance(seconds=16)
    ledger.upkeep.reap()
    ledger.clock.advance(seconds=61)
    assert ledger.upkeep.spent() == ((claim.source,) if charged else ())
    ledger.clock.advance(seconds=1_001)
    (record,) = ledger.upkeep.hide_expired()
    assert record.blobs == (() if charged else (claim.source,))

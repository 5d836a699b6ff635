"""Pictures that are kept for later use: used, kept and swept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import SourceExpired
from cutgate.jobs.ids import new_task_uid, upload_key
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.upkeep import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.upkeep.retention import Sweeper
from tests.fakes import ManualClock
from tests.jobs.build import MakeLedger, claim_next, new_task, new_upload, result_of, run_at_once

GRACE_SECONDS = 400
LIMITS = LedgerLimits(
    retention_seconds=100,
    upload_retention_seconds=5_000,
    source_max_age_seconds=GRACE_SECONDS / 2,
    account_queue_cap=2 * BATCH,
)


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> RedisLedger:
    return make_ledger(LIMITS)


@pytest.fixture
def sweeper(ledger: RedisLedger, file_blobs: BlobStore) -> Sweeper:
    return Sweeper(ledger, file_blobs, orphan_grace_seconds=GRACE_SECONDS)


class TestRecords:
    def test_it_is_kept_as_it_was_given(self, ledger: RedisLedger) -> None:
        upload = new_upload(account='a:b/"ç"\\ 鍵')
        ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, upload.account) == upload

    def test_a_foreign_account_sees_nothing(self, ledger: RedisLedger) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, "bob") is None
        assert ledger.drop_upload(upload.uid, "bob") is None
        assert ledger.use_upload(new_task_uid(), "alice") is None
        assert ledger.use_upload(upload.uid, "alice") == upload

    def test_it_is_no_task(self, ledger: RedisLedger) -> None:
        upload, task = new_upload(), new_task()
        ledger.keep_upload(upload)
        ledger.create(task)
        assert ledger.get(upload.uid, "alice") is None
        assert ledger.use_upload(task.uid, "alice") is None

    def test_dropped_it_is_gone(self, ledger: RedisLedger) -> None:
        upload, other = new_upload(), new_upload()
        for each in (upload, other):
            ledger.keep_upload(each)
        assert ledger.drop_upload(upload.uid, "alice") == upload
        assert ledger.drop_upload(upload.uid, "alice") is None
        assert ledger.use_upload(upload.uid, "alice") is None
        assert ledger.use_upload(other.uid, "alice") == other

    def test_only_one_of_two_drops_it(self, ledger: RedisLedger) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        answers = run_at_once(4, lambda _: ledger.drop_upload(upload.uid, "alice"))
        assert [answer is not None for answer in answers].count(True) == 1

    def test_its_blob_is_its_own(self) -> None:
        with pytest.raises(ValueError, match="one upload"):
            replace(new_upload(), blob=upload_key(new_task_uid()))


class TestRetention:
    def test_unused_it_goes_with_its_blob(
        self, ledger: RedisLedger, file_blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        upload = new_upload()
        file_blobs.put(upload.blob, b"picture")
        ledger.keep_upload(upload)
        clock.advance(seconds=4_900)
        assert (sweeper.sweep(), sweeper.sweep_orphans()) == (0, 0)
        assert file_blobs.get(upload.blob) == b"picture"
        clock.advance(seconds=101)
        assert ledger.use_upload(upload.uid, "alice") is None
        assert ledger.drop_upload(upload.uid, "alice") is None
        assert sweeper.sweep() == 1
        assert list(file_blobs.tasks()) == []
        assert ledger.unrecorded([upload.uid], 0) == (upload.uid,)
        assert sweeper.sweep() == 0

    def test_it_begins_anew_with_every_use(
        self, ledger: RedisLedger, memory_blobs: BlobStore, clock: ManualClock
    ) -> None:
        sweeper = Sweeper(ledger, memory_blobs, orphan_grace_seconds=GRACE_SECONDS)
        upload = new_upload()
        ledger.keep_upload(upload)
        for _ in range(3):
            clock.advance(seconds=4_000)
            assert ledger.use_upload(upload.uid, "alice") == upload
            assert sweeper.sweep() == 0

    def test_a_foreign_use_is_none(self, ledger: RedisLedger, clock: ManualClock) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        clock.advance(seconds=4_000)
        assert ledger.use_upload(upload.uid, "bob") is None
        clock.advance(seconds=1_001)
        assert ledger.hide_expired() == (upload.uid,)

    def test_hidden_it_is_used_no_more(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        """A longer retention does not bring back an upload whose blob is going."""
        upload = new_upload()
        make_ledger(LIMITS).keep_upload(upload)
        clock.advance(seconds=5_001)
        make_ledger(LIMITS).hide_expired()
        patient = make_ledger(LedgerLimits(upload_retention_seconds=100_000))
        assert patient.use_upload(upload.uid, "alice") is None
        assert patient.drop_upload(upload.uid, "alice") is None

    def test_only_a_hidden_record_can_be_forgotten(self, ledger: RedisLedger) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        ledger.forget(upload.uid)
        assert ledger.use_upload(upload.uid, "alice") == upload

    def test_it_goes_beside_tasks(self, ledger: RedisLedger, memory_blobs: BlobStore, clock: ManualClock) -> None:
        for _ in range(BATCH + 5):
            ledger.keep_upload(new_upload())
        task = new_task()
        ledger.create(task)
        claim = claim_next(ledger)
        ledger.finish(claim, result_of(claim))
        clock.advance(seconds=5_001)
        sweeper = Sweeper(ledger, memory_blobs, orphan_grace_seconds=GRACE_SECONDS)
        assert sweeper.sweep() == BATCH + 6
        assert ledger.hide_expired() == ()


class TestOrphans:
    def test_a_dropped_upload_whose_blob_stayed_is_one(
        self, ledger: RedisLedger, file_blobs: BlobStore, sweeper: Sweeper, clock: ManualClock
    ) -> None:
        kept, dropped = new_upload(), new_upload()
        for upload in (kept, dropped):
            file_blobs.put(upload.blob, b"picture")
            ledger.keep_upload(upload)
        ledger.drop_upload(dropped.uid, "alice")
        clock.advance(seconds=GRACE_SECONDS + 1)
        assert sweeper.sweep_orphans() == 1
        assert list(file_blobs.tasks()) == [kept.uid]

    def test_no_upload_can_appear_whose_blob_went(self, ledger: RedisLedger, clock: ManualClock) -> None:
        upload = new_upload()
        clock.advance(seconds=GRACE_SECONDS + 1)
        assert ledger.unrecorded([upload.uid], GRACE_SECONDS) == (upload.uid,)
        with pytest.raises(SourceExpired):
            ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, "alice") is None

    def test_a_repeat_is_never_too_late(self, ledger: RedisLedger, clock: ManualClock) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        clock.advance(seconds=GRACE_SECONDS + 1)
        ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, "alice") == upload

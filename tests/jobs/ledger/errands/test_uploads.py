"""Pictures that are kept for later use: used, kept and swept."""

from dataclasses import replace

import pytest

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import SourceExpired
from cutgate.jobs.ids import new_task_uid, upload_key
from cutgate.jobs.ledger.redis.upkeep import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.upkeep.retention import Sweeper
from tests.jobs.build import Ledger, new_upload, run_at_once

GRACE_SECONDS = 400


@pytest.fixture
def limits() -> LedgerLimits:
    return LedgerLimits(
        retention_seconds=100, upload_retention_seconds=5_000, source_max_age_seconds=GRACE_SECONDS / 2
    )


@pytest.fixture
def sweeper(ledger: Ledger, file_blobs: BlobStore) -> Sweeper:
    return Sweeper(ledger, file_blobs, orphan_grace_seconds=GRACE_SECONDS)


class TestRecords:
    def test_it_is_kept_as_it_was_given(self, ledger: Ledger) -> None:
        upload = ledger.upload(account='a:b/"ç"\\ 鍵')
        assert ledger.use_upload(upload.uid, upload.account) == upload

    def test_a_foreign_account_sees_nothing(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        assert ledger.use_upload(upload.uid, "bob") is None
        assert ledger.drop_upload(upload.uid, "bob") is None
        assert ledger.use_upload(new_task_uid(), "alice") is None
        assert ledger.use_upload(upload.uid, "alice") == upload

    def test_it_is_no_task(self, ledger: Ledger) -> None:
        upload, task = ledger.upload(), ledger.submit()
        assert ledger.get(upload.uid, "alice") is None
        assert ledger.use_upload(task.uid, "alice") is None

    def test_dropped_it_is_gone(self, ledger: Ledger) -> None:
        upload, other = ledger.upload(), ledger.upload()
        assert ledger.drop_upload(upload.uid, "alice") == upload
        assert ledger.drop_upload(upload.uid, "alice") is None
        assert ledger.use_upload(upload.uid, "alice") is None
        assert ledger.use_upload(other.uid, "alice") == other

    def test_only_one_of_two_drops_it(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        answers = run_at_once(4, lambda _: ledger.drop_upload(upload.uid, "alice"))
        assert [answer is not None for answer in answers].count(True) == 1

    def test_its_blob_is_its_own(self) -> None:
        with pytest.raises(ValueError, match="one upload"):
            replace(new_upload(), blob=upload_key(new_task_uid()))


class TestRetention:
    def test_unused_it_goes_with_its_blob(self, ledger: Ledger, file_blobs: BlobStore, sweeper: Sweeper) -> None:
        upload = ledger.upload()
        file_blobs.put(upload.blob, b"picture")
        ledger.clock.advance(seconds=4_900)
        assert (sweeper.sweep(), sweeper.sweep_orphans()) == (0, 0)
        assert file_blobs.get(upload.blob) == b"picture"
        ledger.clock.advance(seconds=101)
        assert ledger.use_upload(upload.uid, "alice") is None
        assert ledger.drop_upload(upload.uid, "alice") is None
        assert sweeper.sweep() == 1
        assert list(file_blobs.tasks()) == []
        assert ledger.unrecorded([upload.uid], 0) == (upload.uid,)
        assert sweeper.sweep() == 0

    def test_it_begins_anew_with_every_use(self, ledger: Ledger, sweeper: Sweeper) -> None:
        upload = ledger.upload()
        for _ in range(3):
            ledger.clock.advance(seconds=4_000)
            assert ledger.use_upload(upload.uid, "alice") == upload
            assert sweeper.sweep() == 0

    def test_a_foreign_use_is_none(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        ledger.clock.advance(seconds=4_000)
        assert ledger.use_upload(upload.uid, "bob") is None
        ledger.clock.advance(seconds=1_001)
        assert ledger.hide_expired() == (upload.uid,)

    def test_hidden_it_is_used_no_more(self, ledger: Ledger) -> None:
        """A longer retention does not bring back an upload whose blob is going."""
        upload = ledger.upload()
        ledger.clock.advance(seconds=5_001)
        ledger.hide_expired()
        patient = ledger.limited(upload_retention_seconds=100_000)
        assert patient.use_upload(upload.uid, "alice") is None
        assert patient.drop_upload(upload.uid, "alice") is None

    def test_only_a_hidden_record_can_be_forgotten(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        ledger.forget(upload.uid)
        assert ledger.use_upload(upload.uid, "alice") == upload

    def test_it_goes_beside_tasks(self, ledger: Ledger, sweeper: Sweeper) -> None:
        for _ in range(BATCH + 5):
            ledger.upload()
        ledger.done(ledger.claimed())
        ledger.clock.advance(seconds=5_001)
        assert sweeper.sweep() == BATCH + 6
        assert ledger.hide_expired() == ()


class TestOrphans:
    def test_a_dropped_upload_whose_blob_stayed_is_one(
        self, ledger: Ledger, file_blobs: BlobStore, sweeper: Sweeper
    ) -> None:
        kept, dropped = ledger.upload(), ledger.upload()
        for upload in (kept, dropped):
            file_blobs.put(upload.blob, b"picture")
        ledger.drop_upload(dropped.uid, "alice")
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        assert sweeper.sweep_orphans() == 1
        assert list(file_blobs.tasks()) == [kept.uid]

    def test_no_upload_can_appear_whose_blob_went(self, ledger: Ledger) -> None:
        upload = new_upload()
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        assert ledger.unrecorded([upload.uid], GRACE_SECONDS) == (upload.uid,)
        with pytest.raises(SourceExpired):
            ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, "alice") is None

    def test_a_repeat_is_never_too_late(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, "alice") == upload

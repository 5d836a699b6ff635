"""Pictures that are kept for later use: used, kept and swept."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from cutgate.jobs.answers import Created
from cutgate.jobs.errors import IdempotencyConflict, SourceExpired, UploadsFull
from cutgate.jobs.ids import new_task_uid, upload_key
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import AccountCaps, Idempotency
from cutgate.jobs.upkeep.retention import Sweeper
from tests.jobs.build import Ledger, new_upload

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
        assert ledger.uploads.use(upload.uid, upload.account) == upload

    def test_a_foreign_account_sees_nothing(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        assert ledger.uploads.use(upload.uid, "bob") is None
        assert ledger.uploads.drop(upload.uid, "bob") is None
        assert ledger.uploads.use(new_task_uid(), "alice") is None
        assert ledger.uploads.use(upload.uid, "alice") == upload

    def test_dropped_it_is_gone(self, ledger: Ledger) -> None:
        upload, other = ledger.upload(), ledger.upload()
        assert ledger.uploads.drop(upload.uid, "alice") == upload
        assert ledger.uploads.drop(upload.uid, "alice") is None
        assert ledger.uploads.use(upload.uid, "alice") is None
        assert ledger.uploads.use(other.uid, "alice") == other

    def test_a_late_repeat_does_not_bring_it_back(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        assert ledger.uploads.drop(upload.uid, "alice") is not None
        with pytest.raises(SourceExpired):
            ledger.uploads.keep(upload)
        assert ledger.uploads.use(upload.uid, "alice") is None

    def test_its_blob_is_its_own(self) -> None:
        with pytest.raises(ValueError, match="one upload"):
            replace(new_upload(), blob=upload_key(new_task_uid()))


class TestCaps:
    CAPS = AccountCaps(uploads=2, upload_bytes=30_000)  # a picture of these tests has 12,345 bytes

    def test_pictures(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_upload_cap=2)
        for _ in range(2):
            ledger.upload()
        assert refused(ledger) == ("pictures", 2, 2)
        ledger.upload(account="bob")

    def test_bytes(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_upload_bytes=30_000)
        for _ in range(2):
            ledger.upload()
        assert refused(ledger) == ("bytes", 24_690, 30_000)
        ledger.uploads.keep(replace(new_upload(), size_bytes=30_000 - 24_690))
        assert refused(ledger) == ("bytes", 30_000, 30_000)

    def test_an_accounts_own(self, ledger: Ledger) -> None:
        for _ in range(2):
            ledger.uploads.keep(new_upload(), caps=self.CAPS)
        assert refused(ledger, self.CAPS) == ("pictures", 2, 2)
        ledger.upload()

    def test_what_is_refused_is_foreseen_and_leaves_nothing(self, ledger: Ledger) -> None:
        ledger.uploads.keep(new_upload(), caps=self.CAPS)
        assert ledger.tasks.look("alice", caps=self.CAPS, upload_bytes=17_655).refusal is None
        refusal = ledger.tasks.look("alice", caps=self.CAPS, upload_bytes=17_656).refusal
        assert refusal is not None
        assert isinstance(refusal(), UploadsFull)
        late = replace(new_upload(), size_bytes=17_656)
        idempotency = Idempotency(key="k", content_digest="d")
        with pytest.raises(UploadsFull):
            ledger.uploads.keep(late, caps=self.CAPS, idempotency=idempotency)
        assert ledger.uploads.use(late.uid, "alice") is None
        assert ledger.named("alice", "k") is None

    def test_a_repeat_is_not_counted_again(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        for _ in range(3):
            assert ledger.uploads.keep(upload, caps=AccountCaps(uploads=1)).uid == upload.uid

    def test_what_is_deleted_makes_room_at_once(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_upload_cap=1, account_upload_bytes=12_345)
        for _ in range(3):
            assert ledger.uploads.drop(ledger.upload().uid, "alice")
        ledger.upload()

    def test_what_expires_makes_room(self, ledger: Ledger, sweeper: Sweeper) -> None:
        ledger = ledger.limited(account_upload_cap=1, account_upload_bytes=12_345)
        for _ in range(3):
            ledger.upload(uid=new_task_uid(ledger.clock()))
            ledger.clock.advance(seconds=5_001)
            assert sweeper.sweep() == 1

    def test_counts_that_went_wrong_are_mended(self, ledger: Ledger, sweeper: Sweeper) -> None:
        kept = ledger.upload()
        # As a process of another version would delete it.
        ledger.client.delete(f"{ledger.key_prefix}upload:{ledger.upload().uid}")
        ledger.client.hincrby(f"{ledger.key_prefix}account:alice", "upload_bytes", 1_000)
        ledger = ledger.limited(account_upload_cap=2, account_upload_bytes=24_690)
        assert refused(ledger) == ("pictures", 2, 2)
        with capture_logs() as events:
            sweeper.count_uploads()
            sweeper.count_uploads()
        assert [event["event"] for event in events] == ["upload_counts_mended"]
        ledger.upload()
        assert refused(ledger) == ("pictures", 2, 2)
        assert ledger.uploads.use(kept.uid, "alice") == kept

    def test_an_account_without_uploads_leaves_no_count_to_look_at(self, ledger: Ledger) -> None:
        ledger.uploads.drop(ledger.upload().uid, "alice")
        assert ledger.client.smembers(f"{ledger.key_prefix}uploaders") == set()
        assert ledger.client.exists(f"{ledger.key_prefix}uploads_of:alice") == 0


def refused(ledger: Ledger, caps: AccountCaps | None = None) -> tuple[str | float, ...]:
    """What a further upload is refused with."""
    with pytest.raises(UploadsFull) as caught:
        ledger.uploads.keep(new_upload(), caps=caps)
    return tuple(caught.value.details.values())


class TestRepeats:
    ONE = Idempotency(key="k", content_digest="one")

    def test_the_same_request_has_one_upload(self, ledger: Ledger) -> None:
        first, second = new_upload(), new_upload()
        assert not ledger.uploads.keep(first, idempotency=self.ONE).repeated
        assert ledger.uploads.keep(second, idempotency=self.ONE) == Created(uid=first.uid, repeated=True)
        assert not ledger.uploads.keep(first, idempotency=self.ONE).repeated  # its own reply was lost
        assert ledger.uploads.use(second.uid, "alice") is None
        assert ledger.recall("alice", self.ONE) == first.uid

    def test_other_content_and_other_tasks_conflict(self, ledger: Ledger) -> None:
        ledger.uploads.keep(new_upload(), idempotency=self.ONE)
        other = replace(self.ONE, content_digest="other")
        with pytest.raises(IdempotencyConflict):
            ledger.uploads.keep(new_upload(), idempotency=other)
        with pytest.raises(IdempotencyConflict):
            ledger.submit(idempotency=other)

    def test_a_deletion_is_remembered_by_its_name(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        assert ledger.uploads.drop(upload.uid, "alice", "k") == upload
        assert ledger.uploads.drop(upload.uid, "alice", "k") == upload
        assert ledger.uploads.drop(upload.uid, "alice", "other") is None
        assert ledger.uploads.drop(upload.uid, "bob", "k") is None

    def test_uploads_that_are_deleted_leave_little_and_not_for_long(self, ledger: Ledger) -> None:
        """They cost nothing: what each leaves must not fill the ledger."""
        upload = new_upload()
        ledger.uploads.keep(upload, idempotency=self.ONE)
        ledger.uploads.drop(upload.uid, "alice", "k")
        names = list(ledger.client.scan_iter(match=f"{ledger.key_prefix}*", count=1_000))
        lasting = {name.removeprefix(ledger.key_prefix) for name in names if ledger.client.pttl(name) == -1}
        assert (len(names) - len(lasting), lasting) == (2, {"account:alice"})
        assert max(map(ledger.client.pttl, names)) <= 3_600_000

    def test_a_name_that_another_upload_has_by_now_stays(self, ledger: Ledger) -> None:
        ledger = ledger.limited(upload_retention_seconds=100)
        first, second = new_upload(), new_upload()
        ledger.uploads.keep(first, idempotency=self.ONE)
        ledger.clock.advance(101)
        assert not ledger.uploads.keep(second, idempotency=self.ONE).repeated
        assert ledger.expired() == (first.uid,)
        ledger.upkeep.forget([first.uid])
        assert ledger.named("alice", "k") == second.uid

    def test_a_deletion_that_is_refused_leaves_nothing(self, ledger: Ledger) -> None:
        assert ledger.uploads.drop(new_task_uid(), "alice", "k") is None
        assert list(ledger.client.scan_iter(match=f"{ledger.key_prefix}*")) == []


class TestRetention:
    def test_unused_it_goes_with_its_blob(self, ledger: Ledger, file_blobs: BlobStore, sweeper: Sweeper) -> None:
        upload = ledger.upload()
        file_blobs.put(upload.blob, b"picture")
        ledger.clock.advance(seconds=4_900)
        assert (sweeper.sweep(), sweeper.sweep_orphans()) == (0, 0)
        assert file_blobs.get(upload.blob) == b"picture"
        ledger.clock.advance(seconds=101)
        assert ledger.uploads.use(upload.uid, "alice") is None
        assert ledger.uploads.drop(upload.uid, "alice") is None
        assert sweeper.sweep() == 1
        assert list(file_blobs.tasks()) == []
        assert ledger.upkeep.unrecorded([upload.uid], 0) == (upload.uid,)
        assert sweeper.sweep() == 0

    def test_it_begins_anew_with_every_use(self, ledger: Ledger, sweeper: Sweeper) -> None:
        upload = ledger.upload()
        for _ in range(3):
            ledger.clock.advance(seconds=4_000)
            assert ledger.uploads.use(upload.uid, "alice") == upload
            assert sweeper.sweep() == 0

    def test_a_foreign_use_is_none(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        ledger.clock.advance(seconds=4_000)
        assert ledger.uploads.use(upload.uid, "bob") is None
        ledger.clock.advance(seconds=1_001)
        assert ledger.expired() == (upload.uid,)

    def test_hidden_it_is_used_no_more(self, ledger: Ledger) -> None:
        """A longer retention does not bring back an upload whose blob is going."""
        upload = ledger.upload()
        ledger.clock.advance(seconds=5_001)
        ledger.expired()
        patient = ledger.limited(upload_retention_seconds=100_000)
        assert patient.uploads.use(upload.uid, "alice") is None
        assert patient.uploads.drop(upload.uid, "alice") is None

    def test_only_a_hidden_record_can_be_forgotten(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        ledger.upkeep.forget([upload.uid])
        assert ledger.uploads.use(upload.uid, "alice") == upload

    def test_it_goes_beside_tasks(self, ledger: Ledger, sweeper: Sweeper) -> None:
        for _ in range(BATCH + 5):
            ledger.upload()
        ledger.done(ledger.claimed())
        ledger.clock.advance(seconds=5_001)
        assert sweeper.sweep() == BATCH + 6
        assert ledger.expired() == ()


class TestOrphans:
    def test_a_dropped_upload_whose_blob_stayed_is_one(
        self, ledger: Ledger, file_blobs: BlobStore, sweeper: Sweeper
    ) -> None:
        kept, dropped = ledger.upload(), ledger.upload()
        for upload in (kept, dropped):
            file_blobs.put(upload.blob, b"picture")
        ledger.uploads.drop(dropped.uid, "alice")
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        assert sweeper.sweep_orphans() == 1
        assert list(file_blobs.tasks()) == [kept.uid]

    def test_no_upload_can_appear_whose_blob_went(self, ledger: Ledger) -> None:
        upload = new_upload()
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        assert ledger.upkeep.unrecorded([upload.uid], GRACE_SECONDS) == (upload.uid,)
        with pytest.raises(SourceExpired):
            ledger.uploads.keep(upload)
        assert ledger.uploads.use(upload.uid, "alice") is None

    def test_a_repeat_is_never_too_late(self, ledger: Ledger) -> None:
        upload = ledger.upload()
        ledger.clock.advance(seconds=GRACE_SECONDS + 1)
        ledger.uploads.keep(upload)
        assert ledger.uploads.use(upload.uid, "alice") == upload

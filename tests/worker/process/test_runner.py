"""One item from claim to end, with the real ledger and pipeline in memory and a network that is a function."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pytest
from structlog.testing import capture_logs

from cutgate.jobs.answers import Balance
from cutgate.jobs.composition import Composition, Margins
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.observe.metric_names import ITEMS
from cutgate.jobs.record import Claim, ItemState, Phase, TaskStatus
from cutgate.jobs.spec import CutoutSpec, FileFormat, Lane, Output, Refinement
from cutgate.worker.pictures.metadata import Rights, exif_with
from cutgate.worker.pictures.png import write_png
from cutgate.worker.process import runner
from tests.fakes import MemoryBlobStore, failing
from tests.gateway.harness import there
from tests.ledgers import FreshLedger, kept_sources, spent_sources
from tests.worker.pictures.samples import by_cv2
from tests.worker.process.runner_bench import LANE, LIMITS, SPEC, Bench, Bytes, bench, bright, picture

__all__ = ["bench"]

DISK_AWAY = BlobStoreUnavailable("the disk is away")
PICTURE_SHAPE = (30, 40, 3)


@pytest.mark.parametrize("keeps", [True, False])
def test_an_item_becomes_a_cut_out_and_its_source_stays_or_is_left_to_the_upkeep(
    bench: Bench, keeps: bool
) -> None:
    bench = bench.with_runner(keeps_masks=keeps)
    uid = bench.submit(picture())
    assert bench.run()
    assert bench.item(uid).state is ItemState.DONE
    assert bench.roles() == (["mask", "result", "source"] if keeps else ["result", "source"])
    assert {key.role for key in spent_sources(bench.store)} == (set() if keeps else {"source"})
    assert {key.role for key in kept_sources(bench.store, uid)} == ({"mask", "source"} if keeps else set())
    pixels = np.asarray(bench.image(uid))
    assert pixels[15, 20].tolist() == [250, 200, 220, 255]
    assert not pixels[0, 0].any()


@pytest.mark.parametrize("spec", [SPEC, SPEC.model_copy(update={"refinement": Refinement.RAW})])
def test_a_picture_without_a_subject_is_said_to_have_none(bench: Bench, spec: CutoutSpec) -> None:
    bright_uid, dark_uid = (bench.submit(data, spec) for data in (picture(), picture(subject=(20, 20, 20))))
    with capture_logs() as logs:
        assert bench.run()
        assert bench.run()
    done = [noted for noted in logs if noted["event"] == "item_done"]
    assert [noted["subject_found"] for noted in done] == [True, False]
    assert [noted["confidence"] for noted in done] == [
        bench.result(uid).confidence for uid in (bright_uid, dark_uid)
    ]
    assert [bench.result(uid).subject_found for uid in (bright_uid, dark_uid)] == [True, False]
    assert not np.asarray(bench.image(dark_uid)).any()


def test_a_cut_out_is_laid_over_its_background(bench: Bench) -> None:
    uid = bench.submit(picture(), background=picture((0, 0, 255)))
    assert bench.run()
    pixels = np.asarray(bench.image(uid))
    assert pixels[15, 20].tolist() == [250, 200, 220, 255]
    assert pixels[0, 0].tolist() == [20, 20, 20, 255]
    assert {key.role for key in kept_sources(bench.store, uid)} == {"source", "background", "mask"}


def test_a_background_that_cannot_be_decoded_fails_the_item_and_says_so(bench: Bench) -> None:
    data = bytearray(picture())
    data[len(data) // 2] ^= 255
    uid = bench.submit(picture(), background=bytes(data))
    bench.run()
    error = bench.error(uid)
    assert (error.kind, error.details["part"]) == ("source_undecodable", "background")


def test_nothing_and_what_is_of_another_lane_is_left_alone(bench: Bench) -> None:
    assert not bench.run()
    uid = bench.submit(picture())
    assert not bench.runner.run_one([Lane("other:exact")])
    assert bench.item(uid).state is ItemState.QUEUED


def test_a_damaged_picture_fails_with_a_text_that_helps(bench: Bench) -> None:
    data = bytearray(picture())
    data[len(data) // 2] ^= 255
    uid = bench.submit(bytes(data))
    bench.run()
    assert bench.error(uid).kind == "source_undecodable"
    assert "truncated" in bench.error(uid).message
    assert bench.roles() == ["source"]


def test_a_picture_over_the_limits_fails_before_it_is_decoded(bench: Bench) -> None:
    uid = bench.submit(picture())
    bench.with_runner(limits=replace(LIMITS, max_pixels=100)).run()
    assert (bench.error(uid).kind, bench.error(uid).details["limit"]) == ("source_too_large", 100)


@pytest.mark.parametrize(("slow_seconds", "strikes"), [(0, 3), (3_600, 0)])
def test_a_picture_that_takes_long_to_decode_counts_against_its_account(
    bench: Bench, slow_seconds: float, strikes: int
) -> None:
    """Also where it fails, and where it is the one behind the subject."""
    slow = bench.with_runner(slow_seconds=slow_seconds)
    slow.submit(picture())
    failing = [slow.submit(picture()[:-40]), slow.submit(picture(), background=picture()[:-40])]
    assert all(slow.run() for _ in range(3))
    assert {slow.error(uid).kind for uid in failing} == {"source_unreadable"}
    assert slow.store.strikes("ada") == strikes


def test_a_crash_leaves_its_trace_in_the_log_alone(bench: Bench) -> None:
    def crash(image: Bytes) -> Bytes:
        if image.shape == PICTURE_SHAPE:
            raise ZeroDivisionError("secret detail")
        return bright(image)

    store = FreshLedger(LedgerLimits(max_attempts=1))
    bench = replace(bench.with_runner(store=store, predict_for=lambda _: crash), store=store)
    uid = bench.submit(picture())
    with capture_logs() as logs:
        bench.run()
    error = bench.error(uid)
    assert (error.kind, error.message) == ("pipeline_failed", "the picture could not be processed")
    assert any(entry["event"] == "item_crashed" and entry["exc_info"] for entry in logs)
    task = bench.store.tasks.get(uid, "ada")
    assert task is not None
    assert (task.status, task.booked) == (TaskStatus.ERROR, 0)


@pytest.mark.parametrize(("is_away", "left"), [(False, ["source"]), (True, ["mask", "result", "source"])])
def test_a_refused_finish_removes_only_its_own_result_or_leaves_it_to_the_sweeper(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_away: bool, left: list[str]
) -> None:
    bench.submit(picture())
    # As when the ledger has given the item to somebody else by the time it is finished.
    monkeypatch.setattr(bench.store.claims, "finish", lambda *_, **__: False)
    if is_away:
        failing(bench.blobs, delete=DISK_AWAY)
    assert bench.run()
    assert bench.roles() == left


def test_a_lost_claim_stops_the_work_and_writes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = threading.Event()

    def refuse(*_: object) -> bool:
        refused.set()
        return False

    def slow(image: Bytes) -> Bytes:
        assert refused.wait(60)
        return bright(image)

    monkeypatch.setattr(bench.store.claims, "renew", refuse)
    uid = bench.submit(picture())
    bench.with_runner(predict_for=lambda _: slow, beat_seconds=0.01).run()
    assert bench.item(uid).state is ItemState.RUNNING
    assert bench.roles() == ["source"]


def test_the_hard_deadline_ends_the_item(bench: Bench) -> None:
    def slow(image: Bytes) -> Bytes:
        time.sleep(1.2)
        return bright(image)

    late = bench.with_time(1).with_runner(predict_for=lambda _: slow)
    uid = late.submit(picture())
    late.run()
    assert late.error(uid).kind == "timed_out"


def failing_first(times: int, error: Exception, call: Callable[..., object]) -> Callable[..., object]:
    left = [error] * times

    def wrapped(*arguments: object, **options: object) -> object:
        if left:
            raise left.pop()
        return call(*arguments, **options)

    return wrapped


@pytest.mark.parametrize(
    ("part", "method", "error"),
    [
        ("blobs", "get", DISK_AWAY),
        ("blobs", "put", DISK_AWAY),
        ("store.claims", "finish", LedgerUnavailable("restarting")),
    ],
)
def test_an_absent_service_is_waited_for(
    bench: Bench, part: str, method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = bench.submit(picture())
    target = attrgetter(part)(bench)
    monkeypatch.setattr(target, method, failing_first(2, error, getattr(target, method)))
    bench.run()
    assert bench.item(uid).state is ItemState.DONE
    assert bench.roles() == ["mask", "result", "source"]


def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How claims end from now on, as the metric is told."""
    seen: list[str] = []

    def count(name: object, /, *_: object, **labels: str) -> None:
        if name is ITEMS:
            seen.append(labels["outcome"])

    monkeypatch.setattr(runner, "count", count)
    return seen


def test_a_claim_lost_when_its_item_fails_counts_as_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = outcomes(monkeypatch)
    uid = bench.submit(picture()[:-40])
    monkeypatch.setattr(bench.store.claims, "fail", lambda *_, **__: False)
    assert bench.run()
    assert seen == ["lost"]
    assert bench.item(uid).state is ItemState.RUNNING
    assert bench.roles() == ["source"], "whoever has the claim now needs the source"


def test_a_ledger_away_between_two_steps_stops_no_work(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = bench.submit(picture())
    away = failing_first(3, LedgerUnavailable("restarting"), bench.store.claims.renew)
    monkeypatch.setattr(bench.store.claims, "renew", away)
    with capture_logs() as logs:
        bench.run()
    assert bench.item(uid).state is ItemState.DONE
    assert [entry["thread"] for entry in logs if entry["event"] == "ledger_unavailable"] == ["pipeline"] * 3


@pytest.mark.parametrize("file_format", [FileFormat.PNG, FileFormat.WEBP, FileFormat.JPEG])
@pytest.mark.parametrize("output", Output)
def test_the_record_says_what_was_written(bench: Bench, file_format: FileFormat, output: Output) -> None:
    asked = {
        "file_format": file_format,
        "composition": Composition(crop=Margins.parse("2")),
        "background": (0, 0, 255, 255),
        "output": output,
    }
    uid = bench.submit(picture(), SPEC.model_copy(update=asked))
    bench.run()
    result, image = bench.result(uid), bench.image(uid)
    assert (result.media_type, result.width_px, result.height_px) == (f"image/{file_format}", 24, 14)
    assert result.size_bytes == len(bench.blobs.get(result.blob))
    assert (image.format, image.size) == (file_format.upper(), (24, 14))
    expected = (0, 0, 255) if output is Output.CUTOUT else (0, 0, 0)
    assert np.asarray(image.convert("RGB"))[0, 0].tolist() == pytest.approx(expected, abs=6)


def test_16_bits_are_kept_where_it_is_set(bench: Bench) -> None:
    pixels = np.full((8, 8, 4), (60_001, 60_002, 60_003, 65_535), np.uint16)
    seen = []
    for keep_16_bit, file_format in ((False, FileFormat.PNG), (True, FileFormat.PNG), (True, FileFormat.WEBP)):
        uid = bench.submit(write_png(pixels), SPEC.model_copy(update={"file_format": file_format}))
        bench.with_runner(keep_16_bit=keep_16_bit).run()
        seen.append(by_cv2(bench.blobs.get(bench.result(uid).blob)))
    assert [levels.dtype for levels in seen] == [np.uint8, np.uint16, np.uint8]
    np.testing.assert_array_equal(seen[1], pixels)


@pytest.mark.parametrize("keep_rights", [True, False])
def test_whose_picture_it_is_is_kept_where_it_is_set(bench: Bench, keep_rights: bool) -> None:
    block = exif_with(None, Rights("Ann Artist", "(c) Ann"))
    uid = bench.submit(write_png(np.full((8, 8, 4), 255, np.uint8), exif=block), SPEC)
    bench.with_runner(keep_rights=keep_rights).run()
    kept = {315: "Ann Artist", 33432: "(c) Ann"}
    assert dict(bench.image(uid).getexif()) == (kept if keep_rights else {})


class TestFaultsOfTheStorage:
    """An outage costs no picture an attempt, and a worker without its storage takes none."""

    def test_a_picture_that_is_gone_fails_at_once_uncharged(self, bench: Bench) -> None:
        bench.store.accounts.grant("ada", 10)
        uid = bench.submit(picture())
        bench.blobs.delete_task(uid)
        assert bench.run()
        assert bench.error(uid).kind == "blob_missing"
        assert bench.store.accounts.balance("ada") == Balance(granted=10, used=0, reserved=0)
        assert bench.runner.health.can_work()

    def test_on_a_wrong_storage_none_is_gone(self, bench: Bench) -> None:
        assert bench.store.server.install("here") == bench.blobs.install("here")
        uid = bench.submit(picture())
        unmounted = bench.with_runner(blobs=MemoryBlobStore())
        assert unmounted.run()
        assert (bench.item(uid).state, bench.item(uid).attempts) == (ItemState.QUEUED, 0)
        with capture_logs() as logs:
            assert not unmounted.runner.health.can_work()
        assert [entry["event"] for entry in logs] == ["storage_is_not_the_ledgers"]
        assert bench.run()
        assert bench.item(uid).state is ItemState.DONE

    def test_a_storage_that_is_away_while_a_picture_is_read(self, bench: Bench) -> None:
        first, second = bench.submit(picture()), bench.submit(picture())
        late = bench.with_runner(blobs=failing(MemoryBlobStore(), get=DISK_AWAY, check=DISK_AWAY))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner, "READ_SECONDS", 0.05)
            assert late.run()
        assert not late.runner.health.can_work()
        assert {bench.item(uid).attempts for uid in (first, second)} == {0}
        assert [there(bench.runner.claim([LANE])).task for _ in range(2)] == [second, first]

    def test_a_storage_that_stays_away_while_the_result_is_written(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = bench.with_time(1)  # enough for all that comes before the store on a slow machine
        seen = outcomes(monkeypatch)
        uid = late.submit(picture())
        tries: list[BlobKey] = []

        def away(key: BlobKey, _: bytes) -> None:
            tries.append(key)
            raise DISK_AWAY

        monkeypatch.setattr(late.blobs, "put", away)
        late.run()
        assert (late.item(uid).state, late.item(uid).attempts) == (ItemState.QUEUED, 0)
        assert len(tries) > 2
        assert seen == ["lost"]
        assert late.roles() == ["source"]

    def test_reading_that_takes_most_of_the_time_is_not_the_pictures_fault(self, bench: Bench) -> None:
        late = bench.with_time(1)
        uid = late.submit(picture())
        get = late.blobs.get

        def slow(key: BlobKey) -> bytes:
            time.sleep(0.6)
            return get(key)

        late.blobs.get = slow  # type: ignore[method-assign]
        late.run()
        assert (late.item(uid).state, late.item(uid).attempts) == (ItemState.QUEUED, 0)

    def test_time_of_computing_is_not_taken_for_time_of_reading_the_background(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The background is read when the subject is cut out already."""

        def slow(image: Bytes) -> Bytes:
            time.sleep(1.1)
            return bright(image)

        monkeypatch.setattr(runner, "READ_SHARE", 0.05)
        late = bench.with_time(20).with_runner(predict_for=lambda _: slow)
        uid = late.submit(picture(), background=picture((0, 0, 255)))
        assert late.run()
        assert late.item(uid).state is ItemState.DONE

    def test_a_background_is_read_in_the_phase_of_reading(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Phase] = []
        reads_again = threading.Event()
        renew, get = bench.store.claims.renew, bench.blobs.get

        def tell(claim: Claim, phase: Phase) -> bool:
            if phase is Phase.READING and Phase.COMPUTING in told:
                reads_again.set()
            told.append(phase)
            return renew(claim, phase)

        def read(key: BlobKey) -> bytes:
            assert key.role != "background" or reads_again.wait(20)
            return get(key)

        monkeypatch.setattr(bench.store.claims, "renew", tell)
        monkeypatch.setattr(bench.blobs, "get", read)
        uid = bench.submit(picture(), background=picture((0, 0, 255)))
        assert bench.with_runner(beat_seconds=0.01).run()
        assert bench.item(uid).state is ItemState.DONE


class TestPicturesThatRaise:
    """Whether the picture or the worker is to blame shows on a picture that is known to be good."""

    def raising(self, bench: Bench, owner: str, error: Exception) -> Bench:
        def crash(image: Bytes) -> Bytes:
            if image.shape == PICTURE_SHAPE:
                raise error
            return bright(image)

        return bench.with_runner(predict_for=lambda _: crash, owner=owner)

    def test_two_sound_workers_show_that_it_is_the_picture(self, bench: Bench) -> None:
        uid = bench.submit(picture())
        first, second = (self.raising(bench, owner, ValueError("no such stride")) for owner in ("w1", "w2"))
        assert first.run()
        assert (bench.item(uid).state, bench.item(uid).attempts) == (ItemState.QUEUED, 1)
        assert second.run()
        assert bench.error(uid).kind == "pipeline_failed"
        assert bench.store.strikes("ada") == 1
        assert not first.runner.health.is_broken

    def test_a_worker_alone_tries_it_as_often_as_is_allowed(self, bench: Bench) -> None:
        uid = bench.submit(picture())
        alone = self.raising(bench, "w1", MemoryError())
        assert [alone.run() for _ in range(4)] == [True, True, True, False]
        assert (bench.error(uid).kind, bench.store.strikes("ada")) == ("pipeline_failed", 1)

    def test_a_broken_worker_uses_up_no_attempt(self, bench: Bench) -> None:
        def crash(_: Bytes) -> Bytes:
            raise RuntimeError("CUDA error 700")

        uid = bench.submit(picture())
        broken = bench.with_runner(predict_for=lambda _: crash)
        assert broken.run()
        assert broken.runner.health.is_broken
        assert (bench.item(uid).state, bench.item(uid).attempts) == (ItemState.QUEUED, 0)
        assert bench.store.strikes("ada") == 0
        assert bench.run()
        assert bench.item(uid).state is ItemState.DONE

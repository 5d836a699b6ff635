"""One item from claim to end, with the real ledger and pipeline in memory and a network that is a function."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.observe.metric_names import ITEMS
from cutgate.jobs.record import Claim, ItemState, Result, TaskStatus
from cutgate.jobs.spec import CutoutSpec, FileFormat, Lane, Output, Refinement
from cutgate.worker.pictures.png import write_png
from cutgate.worker.process import runner
from tests.fakes import ManualClock
from tests.ledgers import FreshLedger
from tests.worker.pictures.samples import by_cv2
from tests.worker.process.runner_bench import (
    LIMITS,
    SPEC,
    Bench,
    Bytes,
    bench,
    bright,
    dark_picture,
    picture,
)

__all__ = ["bench"]


def test_an_item_becomes_a_cut_out_and_its_source_goes(bench: Bench) -> None:
    uid = bench.submit(picture())
    assert bench.run()
    item = bench.item(uid)
    assert item.state is ItemState.DONE
    assert item.result is not None
    assert (item.result.width_px, item.result.height_px) == (40, 30)
    assert bench.roles() == ["result"]
    data = bench.blobs.get(item.result.blob)
    assert item.result.size_bytes == len(data)
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    assert pixels[15, 20].tolist() == [250, 200, 220, 255]
    assert not pixels[0, 0].any()


def test_a_mask_is_grey(bench: Bench) -> None:
    uid = bench.submit(picture(), SPEC.model_copy(update={"output": Output.MASK}))
    bench.run()
    result = bench.item(uid).result
    assert result is not None
    with Image.open(io.BytesIO(bench.blobs.get(result.blob))) as image:
        assert image.mode == "L"


@pytest.mark.parametrize("spec", [SPEC, SPEC.model_copy(update={"refinement": Refinement.RAW})])
def test_a_picture_without_a_subject_is_said_to_have_none(bench: Bench, spec: CutoutSpec) -> None:
    uids = [bench.submit(data, spec) for data in (picture(), dark_picture())]
    with capture_logs() as logs:
        assert bench.run()
        assert bench.run()
    assert [noted["subject_found"] for noted in logs if noted["event"] == "item_done"] == [True, False]
    results = [bench.item(uid).result for uid in uids]
    assert [result is not None and result.subject_found for result in results] == [True, False]
    assert results[1] is not None
    with Image.open(io.BytesIO(bench.blobs.get(results[1].blob))) as image:
        assert not np.asarray(image).any()


def test_the_source_can_be_kept(bench: Bench) -> None:
    bench.submit(picture())
    bench.with_runner(delete_source=False).run()
    assert bench.roles() == ["result", "source"]


def test_nothing_waits(bench: Bench) -> None:
    assert not bench.run()


def test_another_lane_is_left_alone(bench: Bench) -> None:
    uid = bench.submit(picture())
    assert not bench.runner.run_one([Lane("other:exact")])
    assert bench.item(uid).state is ItemState.QUEUED


def test_a_damaged_picture_fails_with_a_text_that_helps(bench: Bench) -> None:
    uid = bench.submit(picture()[:-40])
    bench.run()
    error = bench.item(uid).error
    assert error is not None
    assert error.kind == "source_undecodable"
    assert "truncated" in error.message
    assert bench.roles() == []


def test_a_picture_over_the_limits_fails_before_it_is_decoded(bench: Bench) -> None:
    uid = bench.submit(picture())
    bench.with_runner(limits=replace(LIMITS, max_pixels=100)).run()
    error = bench.item(uid).error
    assert error is not None
    assert error.kind == "source_too_large"
    assert error.details["limit"] == 100


def test_a_crash_leaves_its_trace_in_the_log_alone(bench: Bench) -> None:
    def crash(_: Bytes) -> Bytes:
        raise ZeroDivisionError("secret detail")

    uid = bench.submit(picture())
    with capture_logs() as logs:
        bench.with_runner(predict_for=lambda _: crash).run()
    error = bench.item(uid).error
    assert error is not None
    assert (error.kind, error.message) == ("processing_failed", "the picture could not be processed")
    assert any(entry["event"] == "item_crashed" and entry["exc_info"] for entry in logs)
    task = bench.store.get(uid, "ada")
    assert task is not None
    assert (task.status, task.booked) == (TaskStatus.ERROR, 0)


class Losing(FreshLedger):
    """A ledger that has given the item to somebody else by the time it is finished."""

    def finish(self, claim: Claim, result: Result) -> bool:
        return False


def test_a_refused_finish_removes_only_its_own_result(bench: Bench) -> None:
    store = Losing(LedgerLimits(), ManualClock())
    losing = Bench(replace(bench.runner, store=store), store, bench.blobs)
    losing.submit(picture())
    losing.run()
    assert losing.roles() == ["source"]


def test_a_refused_result_that_cannot_be_deleted_is_left_to_the_sweeper(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: BlobKey) -> None:
        raise BlobStoreUnavailable("the disk is away")

    store = Losing(LedgerLimits(), ManualClock())
    losing = Bench(replace(bench.runner, store=store), store, bench.blobs)
    losing.submit(picture())
    monkeypatch.setattr(bench.blobs, "delete", away)
    assert losing.run()
    assert losing.roles() == ["result", "source"]


def test_a_lost_claim_stops_the_work_and_writes_nothing(bench: Bench) -> None:
    refused = threading.Event()

    class Taken(FreshLedger):
        def renew(self, claim: Claim) -> bool:
            refused.set()
            return False

    store = Taken(LedgerLimits(), ManualClock())

    def slow(image: Bytes) -> Bytes:
        assert refused.wait(5)
        return bright(image)

    taken = Bench(
        replace(bench.runner, store=store, predict_for=lambda _: slow, beat_seconds=0.01), store, bench.blobs
    )
    uid = taken.submit(picture())
    taken.run()
    assert taken.item(uid).state is ItemState.RUNNING
    assert taken.roles() == ["source"]


def test_the_hard_deadline_ends_the_item(bench: Bench) -> None:
    store = FreshLedger(LedgerLimits(lease_seconds=0.01, job_timeout_seconds=0.01), ManualClock())

    def slow(image: Bytes) -> Bytes:
        time.sleep(0.05)
        return bright(image)

    late = Bench(replace(bench.runner, store=store, predict_for=lambda _: slow), store, bench.blobs)
    uid = late.submit(picture())
    late.run()
    error = late.item(uid).error
    assert error is not None
    assert error.kind == "timed_out"


def failing_first(times: int, error: Exception, call: Callable[..., object]) -> Callable[..., object]:
    """A call that fails a few times before it works."""
    left = [error] * times

    def wrapped(*arguments: object) -> object:
        if left:
            raise left.pop()
        return call(*arguments)

    return wrapped


@pytest.mark.parametrize(
    ("part", "method", "error"),
    [
        ("blobs", "get", BlobStoreUnavailable("the disk is away")),
        ("blobs", "put", BlobStoreUnavailable("the disk is full")),
        ("store", "finish", LedgerUnavailable("restarting")),
    ],
)
def test_an_absent_service_is_waited_for(
    bench: Bench, part: str, method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = bench.submit(picture())
    target = getattr(bench, part)
    monkeypatch.setattr(target, method, failing_first(2, error, getattr(target, method)))
    bench.run()
    assert bench.item(uid).state is ItemState.DONE
    assert bench.roles() == ["result"]


def test_a_vanished_source_fails_the_item(bench: Bench) -> None:
    uid = bench.submit(picture())
    for key in list(bench.blobs.keys()):
        assert isinstance(key, BlobKey)
        bench.blobs.delete(key)
    bench.run()
    error = bench.item(uid).error
    assert error is not None
    assert error.kind == "blob_missing"


def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How claims end from now on, as the metric is told."""
    seen: list[str] = []

    def count(name: object, /, *_: object, **labels: str) -> None:
        if name is ITEMS:
            seen.append(labels["outcome"])

    monkeypatch.setattr(runner, "count", count)
    return seen


def test_a_claim_that_is_lost_when_its_item_fails_is_counted_as_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = outcomes(monkeypatch)
    uid = bench.submit(picture()[:-40])
    monkeypatch.setattr(bench.store, "fail", lambda *_: False)
    assert bench.run()
    assert seen == ["lost"]
    assert bench.item(uid).state is ItemState.RUNNING
    assert bench.roles() == ["source"], "whoever has the claim now needs the source"


def test_a_store_that_stays_away_past_the_deadline_fails_the_item(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FreshLedger(LedgerLimits(lease_seconds=0.3, job_timeout_seconds=0.3), ManualClock())
    late = Bench(replace(bench.runner, store=store), store, bench.blobs)
    seen = outcomes(monkeypatch)
    uid = late.submit(picture())
    tries: list[BlobKey] = []

    def away(key: BlobKey, _: bytes) -> None:
        tries.append(key)
        raise BlobStoreUnavailable("the disk is away")

    monkeypatch.setattr(late.blobs, "put", away)
    late.run()
    error = late.item(uid).error
    assert error is not None
    assert error.kind == BlobStoreUnavailable.kind
    assert len(tries) > 2
    assert seen == ["failed"]
    assert late.roles() == []


def test_a_ledger_that_is_away_between_two_steps_does_not_stop_the_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = bench.submit(picture())
    away = failing_first(3, LedgerUnavailable("restarting"), bench.store.renew)
    monkeypatch.setattr(bench.store, "renew", away)
    with capture_logs() as logs:
        bench.run()
    assert bench.item(uid).state is ItemState.DONE
    assert [entry["thread"] for entry in logs if entry["event"] == "ledger_unavailable"] == ["pipeline"] * 3


@pytest.mark.parametrize(
    ("file_format", "media_type", "kind"),
    [
        (FileFormat.PNG, "image/png", "PNG"),
        (FileFormat.WEBP, "image/webp", "WEBP"),
        (FileFormat.JPEG, "image/jpeg", "JPEG"),
    ],
)
@pytest.mark.parametrize("output", Output)
def test_the_record_says_what_was_written(
    bench: Bench, file_format: FileFormat, media_type: str, kind: str, output: Output
) -> None:
    asked = {"file_format": file_format, "crop_margin_px": 2, "background": (0, 0, 255, 255), "output": output}
    uid = bench.submit(picture(), SPEC.model_copy(update=asked))
    bench.run()
    result = bench.item(uid).result
    assert result is not None
    assert (result.media_type, result.width_px, result.height_px) == (media_type, 24, 14)
    data = bench.blobs.get(result.blob)
    assert result.size_bytes == len(data)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == (kind, (24, 14))
        expected = (0, 0, 255) if output is Output.CUTOUT else (0, 0, 0)
        assert np.asarray(image.convert("RGB"))[0, 0].tolist() == pytest.approx(expected, abs=6)


def test_16_bits_are_kept_where_it_is_set(bench: Bench) -> None:
    pixels = np.full((8, 8, 4), (60_001, 60_002, 60_003, 65_535), np.uint16)
    seen = []
    for keep_16_bit, file_format in ((False, FileFormat.PNG), (True, FileFormat.PNG), (True, FileFormat.WEBP)):
        uid = bench.submit(write_png(pixels), SPEC.model_copy(update={"file_format": file_format}))
        bench.with_runner(keep_16_bit=keep_16_bit).run()
        result = bench.item(uid).result
        assert result is not None
        seen.append(by_cv2(bench.blobs.get(result.blob)))
    assert [levels.dtype for levels in seen] == [np.uint8, np.uint16, np.uint8]
    np.testing.assert_array_equal(seen[1], pixels)

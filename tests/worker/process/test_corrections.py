"""Items that are made from a kept mask: what they keep in turn, and what a damaged or foreign mask does."""

import numpy as np
import pytest

from cutgate.jobs.errors import BlobMissing, PipelineFailed
from cutgate.jobs.ids import TaskUid, mask_key, new_task_uid, new_token, source_key
from cutgate.jobs.record import ItemState, NewItem, NewTask
from cutgate.jobs.spec import CORRECTIONS, CutoutSpec, Stroke, StrokeKind
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.raster.arrays import RgbImage
from cutgate.worker.pictures.png import write_png
from cutgate.worker.process.corrections import FoundMask, read_mask, soft_of
from tests.gateway.harness import there
from tests.worker.process.runner_bench import LANE, SPEC, Bench, Bytes, bench, bright, picture

__all__ = ["bench"]

MASK = np.zeros((30, 40), np.uint8)
MASK[10:20, 10:30] = 255


def refused(_: RgbImage) -> Bytes:
    raise AssertionError("the network ran")


def correct(bench: Bench, mask: bytes | None, spec: CutoutSpec = SPEC) -> TaskUid:
    """Do an item whose mask is known; None where its blob has gone."""
    uid = new_task_uid()
    item = NewItem(source=source_key(uid, 0), spec=spec, mask=mask_key(uid, 0, new_token(), is_matte=False))
    bench.blobs.put(item.source, picture())
    if mask is not None:
        bench.blobs.put(there(item.mask), mask)
    bench.store.tasks.create(NewTask(uid=uid, account="ada", origin="test", items=(item,)))
    bench = bench.with_runner(predict_for=lambda _: refused)
    while bench.runner.run_one([CORRECTIONS]):
        pass
    return uid


def test_no_network_runs_and_the_mask_stays_as_it_was(bench: Bench) -> None:
    stroke = Stroke(kind=StrokeKind.KEEP, radius_px=2, points=((5, 5),))
    uid = correct(bench, write_png(MASK), SPEC.model_copy(update={"strokes": (stroke,)}))
    alpha = np.asarray(bench.image(uid))[..., 3]
    assert (alpha[5, 5], alpha[15, 20], alpha[2, 20]) == (255, 255, 0)
    kept = there(bench.store.tasks.kept(uid, 0, "ada"))
    assert np.array_equal(read_mask(bench.blobs.get(kept.mask)), MASK), "strokes are the spec's, not the mask's"
    assert bench.roles() == ["mask", "result", "source"]
    assert bench.store.accounts.kept_bytes(["ada"]) == [len(picture()) + len(write_png(MASK))]


@pytest.mark.parametrize(
    "mask", [None, b"no picture", write_png(MASK)[:60], b""], ids=["gone", "text", "cut", "empty"]
)
def test_a_mask_that_cannot_be_read_ends_the_item(bench: Bench, mask: bytes | None) -> None:
    uid = correct(bench, mask)
    assert (bench.item(uid).state, bench.error(uid).kind) == (ItemState.FAILED, BlobMissing.kind)
    assert "result" not in bench.roles()


def test_a_mask_of_another_size_is_no_result(bench: Bench) -> None:
    uid = correct(bench, write_png(MASK[:20]))
    for owner in ("w2", "w3"):
        other = bench.with_runner(owner=owner, predict_for=lambda _: bright)
        while other.runner.run_one([CORRECTIONS]):
            pass
    assert bench.error(uid).kind == PipelineFailed.kind
    assert "result" not in bench.roles()


@pytest.mark.parametrize("soft", [*Soft])
def test_what_its_grey_means_stays_with_a_mask(bench: Bench, soft: Soft) -> None:
    bench.submit(picture())
    claim = there(bench.store.claims.take([LANE], "w1", new_token()))
    found = FoundMask(soft=soft)
    found.keep(MASK)
    key, data = found.as_blob(claim)
    assert soft_of(key) is soft
    assert np.array_equal(read_mask(data), MASK)
    assert found.size_bytes == len(data)

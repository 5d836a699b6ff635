"""A runner with the real ledger and pipeline, blobs in memory and a network that is a function."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cutgate.jobs.ids import TaskUid, background_key, new_task_uid, new_token, source_key
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import ErrorFacts, Item, NewItem, NewTask, Result
from cutgate.jobs.spec import CutoutSpec, Refinement, lane_of
from cutgate.worker.process.health import Health
from cutgate.worker.process.runner import Runner
from tests.fakes import MemoryBlobStore
from tests.gateway.harness import there
from tests.ledgers import FreshLedger

Bytes = npt.NDArray[np.uint8]

SPEC = CutoutSpec(model="stand-in", refinement=Refinement.OFF, erode_px=0)
LANE = lane_of(SPEC)
LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10**6, max_side_px=2000)


def bright(image: Bytes) -> Bytes:
    return np.where(image.mean(axis=2) > 128, 255, 0).astype(np.uint8)


def picture(subject: tuple[int, int, int] = (250, 200, 220)) -> bytes:
    """A bright square on a dark ground, 40 px wide and 30 px high."""
    pixels = np.full((30, 40, 3), 20, np.uint8)
    pixels[10:20, 10:30] = subject
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Bench:
    runner: Runner
    store: FreshLedger
    blobs: MemoryBlobStore

    def submit(self, data: bytes, spec: CutoutSpec = SPEC, background: bytes | None = None) -> TaskUid:
        uid = new_task_uid()
        source = source_key(uid, 0)
        self.blobs.put(source, data)
        item = NewItem(source=source, spec=spec)
        if background is not None:
            item = replace(item, background=background_key(uid, 0, new_token()))
            self.blobs.put(there(item.background), background)
        self.store.tasks.create(NewTask(uid=uid, account="ada", origin="test", items=(item,)))
        return uid

    def run(self) -> bool:
        return self.runner.run_one([LANE])

    def with_runner(self, **changes: Any) -> Bench:
        changed = replace(self.runner, **changes)
        return replace(self, runner=replace(changed, health=Health(changed.store, changed.blobs)))

    def with_time(self, job_timeout_seconds: float) -> Bench:
        limits = LedgerLimits(lease_seconds=job_timeout_seconds, job_timeout_seconds=job_timeout_seconds)
        store = FreshLedger(limits)
        return replace(self.with_runner(store=store), store=store)

    def item(self, uid: TaskUid) -> Item:
        task = self.store.tasks.get(uid, "ada")
        assert task is not None
        return task.items[0]

    def result(self, uid: TaskUid) -> Result:
        result = self.item(uid).result
        assert result is not None
        return result

    def image(self, uid: TaskUid) -> Image.Image:
        return Image.open(io.BytesIO(self.blobs.get(self.result(uid).blob)))

    def error(self, uid: TaskUid) -> ErrorFacts:
        error = self.item(uid).error
        assert error is not None
        return error

    def roles(self) -> list[str]:
        return sorted(key.role for key in self.blobs.keys())  # noqa: SIM118 — not a mapping


def runner_of(store: Ledger, blobs: BlobStore) -> Runner:
    """A runner whose network sees what is bright."""
    return Runner(
        store=store,
        blobs=blobs,
        health=Health(store, blobs),
        predict_for=lambda _: bright,
        owner="w1",
        limits=LIMITS,
        beat_seconds=5,
        retry_seconds=0.01,
    )


@pytest.fixture
def bench() -> Bench:
    store, blobs = FreshLedger(), MemoryBlobStore()
    return Bench(runner_of(store, blobs), store, blobs)

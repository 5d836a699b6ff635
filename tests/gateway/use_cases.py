"""The use cases on parts in memory, without HTTP."""

from __future__ import annotations

import uuid

from cutgate.gateway.pictures.kept import KeptPicture, Pictures
from cutgate.gateway.tasks.drafts import Draft, Source
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.submit import Submissions
from cutgate.jobs.ids import image_uuid, result_key
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.presets import Choice
from cutgate.jobs.record import Result, Task
from cutgate.jobs.spec import CutoutSpec, Lane
from cutgate.jobs.urls import ResultPaths
from tests.fakes import InlineQueue, MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.ledgers import FreshLedger, FreshPresence

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500)
SPEC = CutoutSpec(model="m")
PNG = pictures.png()


class House:
    """The use cases on parts in memory."""

    def __init__(self, *, cap: int = 10, store: FreshLedger | None = None) -> None:
        self.store = store or FreshLedger(LedgerLimits(account_queue_cap=cap))
        self.blobs = MemoryBlobStore()
        self.hints: list[Lane] = []
        self.part = Submissions(
            store=self.store,
            blobs=self.blobs,
            queue=InlineQueue(self.hints.append),
            limits=LIMITS,
            price=1,
            offers=Offers(presence=FreshPresence(), own=Choice(model=SPEC.model), memory_seconds=1),
        )
        self.pictures = Pictures(
            store=self.store,
            blobs=self.blobs,
            paths=ResultPaths(bytes(32)),
            limits=LIMITS,
            retention_seconds=60,
        )

    def submit(self, *sources: Source, key: str | None = None) -> Task:
        uid = self.part.submit("a", "Cut", [Draft(source=source, spec=SPEC) for source in sources], key)
        task = self.store.get(uid, "a")
        assert task is not None
        return task

    def upload(self, data: bytes = PNG) -> KeptPicture:
        found = self.pictures.find("a", self.pictures.keep("a", data).image)
        assert found is not None
        return found

    def finish_one(self, data: bytes = b"result") -> uuid.UUID:
        """Do the next item as a worker does, and name its result."""
        claim = self.store.claim([Lane("m:exact")], "worker", "token-of-a-claim")
        assert claim is not None
        key = result_key(claim.task, claim.index, claim.token)
        self.blobs.put(key, data)
        result = Result(blob=key, media_type="image/png", width_px=8, height_px=8, size_bytes=len(data))
        assert self.store.finish(claim, result)
        return image_uuid(claim.task)

"""The use cases on parts in memory, without HTTP."""

import gc
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.pictures.kept import Pictures
from cutgate.gateway.tasks.drafts import Draft, Source
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.submit import Submission, Submissions
from cutgate.jobs.errors import LedgerUnavailable, SubmissionRefused
from cutgate.jobs.ids import image_uuid, result_key
from cutgate.jobs.limits import LedgerLimits, SourceLimits
from cutgate.jobs.record import Result, Task
from cutgate.jobs.spec import CutoutSpec, Lane, ModelChoice
from cutgate.jobs.urls import ResultPaths
from tests.fakes import MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.ledgers import FreshLedger, fresh_presence, hints_of

LIMITS = SourceLimits(max_bytes=2**20, max_pixels=10_000, max_side_px=500)
SPEC = CutoutSpec(model="m")
LANE = Lane("m:exact")
PNG = pictures.png()
INLINE = pictures.data_uri(PNG)


def refusals_left_by(refused: Callable[[], object]) -> int:
    """How many errors of something that is refused stay in memory until the collector runs."""
    before = _refusals()
    gc.disable()
    try:
        with pytest.raises(SubmissionRefused) as caught:
            refused()
        del caught
        return _refusals() - before
    finally:
        gc.enable()


def _refusals() -> int:
    """By type: asked for its class, a weak proxy answers for what it stands for, which may be gone."""
    return sum(issubclass(type(thing), SubmissionRefused) for thing in gc.get_objects())


class UseCases:
    """The use cases on a real ledger, with blobs in memory; `events` tells in which order they are written to."""

    def __init__(self, *, cap: int = 10, after_create: LedgerUnavailable | None = None) -> None:
        self.events: list[str] = []
        self.store, self.blobs = FreshLedger(LedgerLimits(account_queue_cap=cap)), MemoryBlobStore()
        self._note(self.blobs, "put")
        self._note(self.store.tasks, "create", after_create)
        self.part = Submissions(
            store=self.store,
            blobs=self.blobs,
            limits=LIMITS,
            price=1,
            offers=Offers(presence=fresh_presence(), own=ModelChoice(model=SPEC.model), memory_seconds=604_800),
        )
        self.pictures = Pictures(
            store=self.store, blobs=self.blobs, paths=ResultPaths([bytes(32)]), limits=LIMITS, retention_seconds=60
        )

    def _note(self, part: object, name: str, fault: Exception | None = None) -> None:
        call = getattr(part, name)

        def noted(*arguments: Any) -> Any:
            self.events.append(name)
            done = call(*arguments)
            if fault is not None:
                raise fault
            return done

        setattr(part, name, noted)

    @property
    def hints(self) -> list[Lane]:
        """The lanes that workers were told of."""
        return hints_of(self.store)

    def submit(
        self, *sources: Source | Draft, key: str | None = None, account: Account | None = None, **further: Any
    ) -> Task:
        drafts = [source if isinstance(source, Draft) else Draft(source=source, spec=SPEC) for source in sources]
        account = account or Account(name="a")
        submission = Submission(account=account, origin="Cut", drafts=drafts, name=key, **further)
        return there(self.store.tasks.get(self.part.submit(submission), "a"))

    def upload(self, data: bytes = PNG) -> Result:
        return there(self.pictures.find("a", image_uuid(self.pictures.keep(Account(name="a"), data).uid)))

    def finish_one(self, data: bytes = b"result") -> uuid.UUID:
        """Do the next item as a worker does, and name its result."""
        claim = there(self.store.claims.take([LANE], "worker", "token-of-a-claim"))
        key = result_key(claim.task, claim.index, claim.token)
        self.blobs.put(key, data)
        result = Result(blob=key, media_type="image/png", width_px=8, height_px=8, size_bytes=len(data))
        assert self.store.claims.finish(claim, result)
        return image_uuid(claim.task)

"""One item from claim to end: claim → read → cut out → write → finish. Celery is not known here.

The order at the end is: result blob, FINISH, then the source goes. A blob is deleted only after the ledger's
explicit answer, so a crash or a lost connection leaves at worst a blob that the sweeper takes.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
import structlog

from cutgate.jobs.errors import (
    BlobMissing,
    BlobStoreUnavailable,
    CutoutError,
    InferenceUnavailable,
    PipelineFailed,
    ProcessingFailed,
    ServiceUnavailable,
    SourceRejected,
)
from cutgate.jobs.ids import BlobKey, new_token, result_key
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.metric_names import CLAIMS, ITEM_ERRORS, ITEMS, PIXELS, RESULT_CONFIDENCE, RESULTS
from cutgate.jobs.observe.metrics import count, observe
from cutgate.jobs.observe.traces import Kind, Value
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import Claim, KeptMask, Phase, Result
from cutgate.jobs.spec import Box, CutoutSpec, FileFormat, Lane, Output
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.mask.segment import Predict, Soft
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.models.engine import until
from cutgate.worker.pictures.decoder import DECODE_SECONDS
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.finish import Finish, Finished, finish
from cutgate.worker.pictures.images import SourceImage, read_image
from cutgate.worker.pictures.png import write_png
from cutgate.worker.process.corrections import FoundMask, read_mask, soft_of
from cutgate.worker.process.health import Health
from cutgate.worker.process.heartbeat import ClaimLost, Heartbeat
from cutgate.worker.process.metrics import Stopwatch

log = structlog.get_logger(__name__)

T = TypeVar("T")

READ_SECONDS: Final = 5.0
"""How long a storage that is away is asked for a picture before that is left to another worker."""
READ_SHARE: Final = 0.5
"""Of an item's time, what reading it may take; after more of it, the item starts anew with all of its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What a worker process needs to do an item."""

    store: Ledger
    blobs: BlobStore
    predict_for: Callable[[CutoutSpec], Predict]
    """The network that a spec asks for."""
    health: Health
    owner: str
    limits: SourceLimits
    beat_seconds: float
    keep_rgb_profile: bool = False
    keep_16_bit: bool = False
    keep_rights: bool = True
    keeps_masks: bool = True
    """Whether masks and sources stay beside results, for corrections."""
    threads: int = 1
    """How many may make a file of one result."""
    read_image: Callable[..., SourceImage] = read_image
    """`images.read_image`, or a decoder's."""
    slow_seconds: float = DECODE_SECONDS / 2
    """A picture that takes so long to decode counts against its account. The largest take 2 s of a processor."""
    soft_for: Callable[[CutoutSpec], Soft] = lambda _: Soft.DOUBT
    """What the soft levels of that network's map mean."""
    retry_seconds: float = 0.5
    """Pause before the ledger or the blob store is asked again."""

    def run_one(self, lanes: Sequence[Lane]) -> bool:
        """Take one item of the lanes and bring it to its end."""
        claim = self.claim(lanes)
        if claim is None:
            return False
        self.work_on(claim)
        return True

    def claim(self, lanes: Sequence[Lane]) -> Claim | None:
        """Take one item of the lanes, if one waits; `work_on` must follow."""
        claim = self.store.claims.take(lanes, self.owner, new_token())
        if claim is not None:
            count(CLAIMS, attempt="first" if claim.attempt == 1 else "again")
        return claim

    def work_on(self, claim: Claim, beat: Heartbeat | None = None) -> None:
        """Bring a claimed item to its end; its lease is renewed meanwhile, by `beat` if that does so already."""
        facts: dict[str, Value] = {
            "request_uuid": claim.request.uuid,
            "task_uid": claim.task,
            "item": claim.index,
            "account": claim.account,
            "attempt": claim.attempt,
        }
        parent, lane = claim.request.traceparent, claim.lane
        traces.past("wait", claim.waited_seconds, parent=parent, lane=lane, **facts)
        with (
            logs.binding(**facts),
            traces.span("item", Kind.CONSUMER, parent=parent, model=claim.spec.model, lane=lane, **facts),
            nullcontext(beat) if beat else Heartbeat(self.store, claim, self.beat_seconds) as kept,
            until(kept.seconds_left),
        ):
            self._bring_to_its_end(claim, kept)

    def _bring_to_its_end(self, claim: Claim, beat: Heartbeat) -> None:
        watch = Stopwatch()
        try:
            result, mask = self._make(claim, beat, watch)
        except ClaimLost:
            _ended("lost")
            log.warning("claim_lost")
            return
        except BlobMissing as error:
            self._miss_source(claim, beat, error)
            return
        except (BlobStoreUnavailable, InferenceUnavailable) as error:
            self._leave_to_others(claim, beat, error)
            return
        except CutoutError as error:
            log.warning("item_failed", kind=error.kind, message=error.message, **error.details)
            self._fail(claim, beat, error, slow=self._is_slow(watch))
            return
        except Exception:
            log.exception("item_crashed")
            self._suspect(claim, beat)
            return
        slow = self._is_slow(watch)
        if self._insist(lambda: self.store.claims.finish(claim, result, slow=slow, mask=mask), beat):
            _ended("done")
            count(RESULTS, subject="found" if result.subject_found else "none")
            if result.confidence is not None and claim.mask is None:
                observe(RESULT_CONFIDENCE, result.confidence, lane=claim.lane)
            log.info(
                "item_done",
                seconds=round(watch.done(), 3),
                size_bytes=result.size_bytes,
                subject_found=result.subject_found,
                confidence=result.confidence,
            )
        else:
            _ended("lost")
            log.warning("finish_refused")
            self._drop(result.blob, *(() if mask is None or mask.blob == claim.mask else (mask.blob,)))

    def _make(self, claim: Claim, beat: Heartbeat, watch: Stopwatch) -> tuple[Result, KeptMask | None]:
        """Write the result's blob and what stays for corrections, without a word to the ledger."""
        found = FoundMask()
        # Nothing is kept under a name that the next step has no use for: each may be hundreds of megabytes.
        finished = finish(
            self._cut_out(claim, beat, watch, found),
            Finish.of(claim.spec, self._behind(claim, beat, watch), self.limits.max_pixels),
            threads=self.threads,
        )
        watch.ended("encode")
        key = result_key(claim.task, claim.index, claim.token)
        beat.phase = Phase.WRITING
        self._insist(lambda: self.blobs.put(key, finished.data), beat)
        mask = self._keep_mask(claim, beat, found)
        watch.ended("write")
        result = Result(
            blob=key,
            media_type=finished.media_type,
            width_px=finished.width_px,
            height_px=finished.height_px,
            size_bytes=len(finished.data),
            subject_found=finished.subject_found,
            confidence=finished.confidence,
            **_facts(claim.spec, finished),
        )
        return result, mask

    def _keep_mask(self, claim: Claim, beat: Heartbeat, found: FoundMask) -> KeptMask | None:
        if not self.keeps_masks:
            return None
        if claim.mask is not None:
            return KeptMask(blob=claim.mask, kept_bytes=found.size_bytes)
        key, data = found.as_blob(claim)
        self._insist(lambda: self.blobs.put(key, data), beat)
        return KeptMask(blob=key, kept_bytes=found.size_bytes)

    def _cut_out(self, claim: Claim, beat: Heartbeat, watch: Stopwatch, found: FoundMask) -> Picture:
        spec, data = claim.spec, self._get(claim, claim.source, beat)
        holds_16_bit = spec.file_format is FileFormat.PNG and spec.output is Output.CUTOUT
        found.size_bytes = len(data)
        find, found.soft = self._finder(claim, beat, found)
        source = self._read(data, watch, keep_16_bit=self.keep_16_bit and holds_16_bit)
        return cut_out(source, spec, find, beat.check, watch.ended, found.soft, found.keep)

    def _finder(self, claim: Claim, beat: Heartbeat, found: FoundMask) -> tuple[Predict | ByteMask, Soft]:
        """What says where the subject is: the network, or the mask that it gave."""
        if claim.mask is None:
            return self.predict_for(claim.spec), self.soft_for(claim.spec)
        data = self._get(claim, claim.mask, beat)
        found.size_bytes += len(data)
        return read_mask(data), soft_of(claim.mask)

    def _behind(self, claim: Claim, beat: Heartbeat, watch: Stopwatch) -> RgbImage | None:
        """The picture behind the subject, where there is one."""
        where = claim.background
        if where is None:
            return None
        data = self._get(claim, where, beat)
        try:
            return self._decoded(data, watch).over_backdrop()
        except (SourceRejected, ProcessingFailed) as error:
            raise error.of_background() from error

    def _read(self, data: bytes, watch: Stopwatch, *, keep_16_bit: bool) -> SourceImage:
        source = self._decoded(data, watch, keep_rgb_profile=self.keep_rgb_profile, keep_16_bit=keep_16_bit)
        height_px, width_px = source.rgb.shape[:2]
        count(PIXELS, height_px * width_px)
        traces.say(pixels=height_px * width_px)
        watch.ended("read")
        return source if self.keep_rights else replace(source, rights=None)

    def _decoded(self, data: bytes, watch: Stopwatch, **options: bool) -> SourceImage:
        started = time.monotonic()
        try:
            return self.read_image(data, self.limits, **options)
        finally:
            watch.decoding_seconds = max(watch.decoding_seconds, time.monotonic() - started)

    def _is_slow(self, watch: Stopwatch) -> bool:
        return watch.decoding_seconds >= self.slow_seconds

    def _fail(self, claim: Claim, beat: Heartbeat, error: CutoutError, *, slow: bool) -> None:
        if self._insist(lambda: self.store.claims.fail(claim, error.facts(), slow=slow), beat):
            _ended("failed")
            traces.fail(error.kind)
            count(ITEM_ERRORS, kind=error.kind)
        else:
            _ended("lost")

    def _miss_source(self, claim: Claim, beat: Heartbeat, error: BlobMissing) -> None:
        """Fail an item whose picture is gone, as after a restore; a wrong storage is not its fault."""
        log.warning("source_missing", message=error.message)
        try:
            is_gone = self._insist(self.health.installation.is_whole, beat)
        except BlobStoreUnavailable as away:
            self._leave_to_others(claim, beat, away)
            return
        if is_gone:
            self._fail(claim, beat, error, slow=False)
        else:
            self._leave_to_others(claim, beat, error)

    def _leave_to_others(self, claim: Claim, beat: Heartbeat, error: CutoutError) -> None:
        """Put an item back, uncounted, because of this worker's storage or inference server."""
        log.warning("item_put_back", kind=error.kind, message=error.message)
        self.health.doubt()
        self._give_back(claim, beat, error, behind=True)

    def _suspect(self, claim: Claim, beat: Heartbeat) -> None:
        """Put back an item on which the pipeline raised.

        It counts against the picture only if this worker still does a known one.
        """
        error = PipelineFailed("the picture could not be processed")
        is_sound = self.health.passes(lambda: self._do_known_picture(claim))
        self._give_back(claim, beat, error, fault=error.facts() if is_sound else None)

    def _give_back(self, claim: Claim, beat: Heartbeat, error: CutoutError, **how: Any) -> None:
        self._insist(lambda: self.store.claims.give_back(claim, why=error.kind, **how), beat)
        _ended("lost")
        traces.fail(error.kind)

    def _do_known_picture(self, claim: Claim) -> None:
        spec, source = claim.spec, self.read_image(known_picture(), self.limits)
        plain = CutoutSpec(model=spec.model, precision=spec.precision)
        if claim.mask is None:
            made = cut_out(source, plain, self.predict_for(spec), lambda: None, soft=self.soft_for(spec))
        else:
            made = cut_out(source, plain, source.rgb[..., 0].copy(), lambda: None)
        finish(made, Finish.of(plain, None, self.limits.max_pixels), threads=self.threads)

    def _get(self, claim: Claim, key: BlobKey, beat: Heartbeat) -> bytes:
        """Read a picture.

        Raises:
            BlobStoreUnavailable: the storage is away, or so slow that the picture would be blamed for its time.
        """
        beat.phase, before_seconds = Phase.READING, beat.seconds_left()
        data = self._insist(lambda: self.blobs.get(key), beat, READ_SECONDS)
        if before_seconds - beat.seconds_left() > claim.deadline_in_seconds * READ_SHARE:
            raise BlobStoreUnavailable("reading took most of the time that the picture has")
        beat.phase = Phase.COMPUTING
        return data

    def _insist(self, call: Callable[[], T], beat: Heartbeat, seconds: float = math.inf) -> T:
        """Call until the ledger or the blob store answers, for so long and as long as the claim has time."""
        least_left = max(self.retry_seconds, beat.seconds_left() - seconds)
        while True:
            try:
                return call()
            except ServiceUnavailable as error:
                if beat.seconds_left() <= least_left:
                    raise
                log.warning("waiting_for_service", kind=error.kind, message=error.message)
                time.sleep(self.retry_seconds)

    def _drop(self, *keys: BlobKey) -> None:
        """Delete blobs that the ledger has no use for; what storage keeps now is the sweeper's."""
        try:
            self.blobs.delete(*keys)
        except BlobStoreUnavailable as error:
            log.warning("blob_kept", blob=str(keys[0]), message=error.message)


def _facts(spec: CutoutSpec, finished: Finished) -> dict[str, Any]:
    """What a record says of a result that was composed."""
    if spec.composition is None:
        return {}
    full_width_px, full_height_px = finished.facts.full_size_px
    limits = finished.facts.foreground
    return {
        "full_width_px": full_width_px,
        "full_height_px": full_height_px,
        "foreground": None if limits is None else Box(**asdict(limits)),
    }


def _ended(outcome: str) -> None:
    """Tell how a claim has ended."""
    count(ITEMS, outcome=outcome)
    traces.say(outcome=outcome)


@cache
def known_picture() -> bytes:
    """PNG of a bright disk on a dark ground, which every sound worker can cut out."""
    y, x = np.mgrid[:96, :128]
    inside = (x - 64) ** 2 + (y - 48) ** 2 < 32**2
    return write_png(np.where(inside[..., None], (230, 120, 60, 255), (30, 40, 50, 255)).astype(np.uint8))

"""Runs one errand: done, tried again after a pause, or given up."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from cutgate.courier.deliver import Deliveries
from cutgate.courier.errors import ExchangeFailed, HostRefused, PeerFailed
from cutgate.courier.fetch import Fetcher
from cutgate.courier.observe import ended
from cutgate.gateway.pictures.kept import new_upload
from cutgate.jobs.errors import CutoutError, ProcessingFailed, ServiceUnavailable, SourceRejected, UploadsFull
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.pictures.headers import PictureHeader, inspect
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import Errand, ErrandKind

_FETCH_PAUSE_SECONDS: Final = 1.0, 10.0
"""The first pause before another attempt, and the longest one."""
_FETCH_ATTEMPTS: Final = 3
"""Attempts to fetch a source whose server fails: its caller waits."""
_DELIVERY_PAUSE_SECONDS: Final = 10.0, 600.0
"""A receiver that is back after hours waits no longer than this."""

log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandRunner:
    """Runs errands that were taken, one at a call, from any thread."""

    store: Ledger
    blobs: BlobStore
    fetcher: Fetcher
    deliveries: Deliveries
    limits: SourceLimits
    """What a fetched picture may be: the same as one that is sent."""
    delivery_seconds: float
    """How long a delivery is tried again."""
    draw: Callable[[], float] = random.random
    """A number from 0 to 1, evenly spread."""

    def run(self, errand: Errand) -> None:
        """Do what an errand asks for, and tell the ledger.

        Raises:
            ServiceUnavailable: the ledger or the blob store does not answer; the errand falls due again.
        """
        try:
            if errand.kind is ErrandKind.FETCH:
                self._fetch(errand)
            else:
                self._deliver(errand)
        except ServiceUnavailable:
            raise
        except Exception:
            # A fault of our own ends the errand: it would come round, and fail, for as long as the task is kept.
            log.exception("errand_failed")
            if errand.kind is ErrandKind.FETCH:
                self._fail(errand, ProcessingFailed("the picture could not be fetched"))
            else:
                ended(errand, "given_up")
                self.store.errands.done(errand)

    def _fetch(self, errand: Errand) -> None:
        if not errand.keep:
            self._hand_on(errand)
        elif picture := self._picture(errand, errand.url):
            self._keep(errand, *picture)

    def _picture(self, errand: Errand, url: str) -> tuple[bytes, PictureHeader] | None:
        """A picture that can be used; None where the errand was postponed, or has failed its item."""
        try:
            data = self.fetcher.fetch(url, errand.attempt)
            header = inspect(data, self.limits)
            return header.picture_of(data), header
        except ExchangeFailed as failure:
            if isinstance(failure, PeerFailed) and errand.attempt < _FETCH_ATTEMPTS:
                self._again(errand, failure, self.pause_seconds(errand))
            else:
                self._fail(errand, _of_its_part(failure.as_source_error(), errand, url), **_facts(failure))
        except SourceRejected as fault:
            self._fail(errand, _of_its_part(fault, errand, url))
        return None

    def _keep(self, errand: Errand, data: bytes, header: PictureHeader) -> None:
        """Keep a picture as an upload, which ends its item."""
        upload = new_upload(errand.account, header)
        self.blobs.put(upload.blob, data)
        try:
            kept = self.store.errands.kept(errand, upload)
        except UploadsFull as refusal:
            self.blobs.delete(upload.blob)
            self._fail(errand, refusal)
        else:
            self._brought(errand, [upload.blob], len(data), counts=kept)

    def _hand_on(self, errand: Errand) -> None:
        """Let an item wait for a worker, once the pictures that it lacks are here."""
        brought: dict[BlobKey, PictureHeader] = {}
        for key, url in ((errand.source, errand.url), (errand.background, errand.background_url)):
            if key is None:
                continue
            header = self._bring(errand, key, url)
            if header is None:
                self._delete(brought)
                return
            brought[key] = header
        counts = self.store.errands.fetched(errand, brought[errand.source].megapixels if errand.source else 1)
        self._brought(errand, brought, sum(header.size_bytes for header in brought.values()), counts=counts)

    def _bring(self, errand: Errand, key: BlobKey, url: str) -> PictureHeader | None:
        """Write a picture as a blob and let go of its bytes; None as `_picture`."""
        picture = self._picture(errand, url)
        if picture is None:
            return None
        self.blobs.put(key, picture[0])
        return picture[1]

    def _delete(self, keys: Iterable[BlobKey]) -> None:
        for key in keys:
            self.blobs.delete(key)

    def _brought(self, errand: Errand, keys: Iterable[BlobKey], size_bytes: int, *, counts: bool) -> None:
        """Say that all is here; it counts unless its item has ended, or another courier has brought it."""
        if not counts:
            self._delete(keys)
            ended(errand, "moot")
            return
        ended(errand, "done")
        log.info("source_fetched", size_bytes=size_bytes)

    def _fail(self, errand: Errand, error: CutoutError, **facts: object) -> None:
        failed = self.store.errands.fetch_failed(errand, error.facts())
        ended(errand, "given_up" if failed else "moot")
        if failed:
            log.info("fetch_failed", kind=error.kind, message=error.message, **facts)

    def _deliver(self, errand: Errand) -> None:
        try:
            delivered = self.deliveries.deliver(errand)
            ended(errand, "done" if delivered else "moot")
            if delivered:
                log.info("delivered")
        except ExchangeFailed as failure:
            left_seconds = self.delivery_seconds - (errand.now_ms - errand.first_due_at_ms) / 1_000
            if isinstance(failure, PeerFailed) and left_seconds > 0:
                # The last try comes when the time is over, not before.
                self._again(errand, failure, min(self.pause_seconds(errand), left_seconds))
                return
            ended(errand, "given_up")
            log.warning("delivery_given_up", message=failure.message, **_facts(failure))
        self.store.errands.done(errand)

    def _again(self, errand: Errand, failure: ExchangeFailed, pause_seconds: float) -> None:
        self.store.errands.postpone(errand, pause_seconds)
        ended(errand, "again")
        log.info(
            "errand_postponed",
            message=failure.message,
            pause_seconds=round(pause_seconds, 3),
            **_facts(failure),
        )

    def pause_seconds(self, errand: Errand) -> float:
        """How long an errand rests before it is tried again."""
        pauses = _FETCH_PAUSE_SECONDS if errand.kind is ErrandKind.FETCH else _DELIVERY_PAUSE_SECONDS
        return self.draw() * longest_pause(errand.attempt, *pauses)


def longest_pause(attempt: int, first_seconds: float, longest_seconds: float) -> float:
    """How long the pause after an attempt may be; with full jitter it is drawn from zero to this."""
    return float(min(first_seconds * 2.0 ** min(attempt - 1, 64), longest_seconds))


def _facts(failure: ExchangeFailed) -> dict[str, object]:
    facts: dict[str, object] = {"reason": failure.reason}
    if isinstance(failure, HostRefused) and failure.kind:
        facts["address"] = failure.kind
    return facts


def _of_its_part(error: CutoutError, errand: Errand, url: str) -> CutoutError:
    """An error of a picture, as one of the background where it was that."""
    is_background = url == errand.background_url and url != errand.url
    return error.of_background() if is_background else error

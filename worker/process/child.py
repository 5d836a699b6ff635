"""The pool's process: it holds the networks, and does one item after the other or several at once."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.sharedctypes import RawValue

import structlog
from celery.exceptions import Reject

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import traces
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.observe.metric_names import WORKER_INFO, Part
from cutgate.jobs.observe.metrics import change
from cutgate.jobs.ports import Presence
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CORRECTIONS, Lane, lane_of
from cutgate.jobs.upkeep.loops import Every
from cutgate.worker.machine.memory import forget_peak, resident_bytes
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.decoder import DECODE_SECONDS, Decoder
from cutgate.worker.process.concurrency import ConcurrentItems, Deadlines
from cutgate.worker.process.health import Health
from cutgate.worker.process.runner import Runner
from cutgate.worker.settings import NetworkSettings, WorkerSettings

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How often is looked whether the worker is to be announced."""
PRESENCE_TTL_BEATS = 4
"""A worker counts as gone after so many beats of silence."""

AWAY_PAUSE_SECONDS = 1.0
"""How long a hint is kept while storage or inference server are away."""

LoadSegmenter = Callable[[NetworkSettings], Segmenter]


class Child:
    """What lives in the pool's process. ONNX Runtime sessions do not survive a fork, so it starts after it.

    Its parent tells when it has gone; the child itself never says goodbye.
    """

    def __init__(self, settings: WorkerSettings, load: LoadSegmenter = load_segmenter) -> None:
        self._settings, self._load = settings, load
        self.deadlines = Deadlines(settings.item_count())
        self._alive = AliveFile(settings.alive_file)
        self._items: ConcurrentItems | None = None
        self._decoder: Decoder | None = None
        self._health: Health | None = None
        self._hide: Callable[[], None] = lambda: None
        self._forked = False
        # Shared between the processes, and without locks: a child that is killed would keep them.
        self._ready = RawValue("b", False)
        self._failed_to_start = RawValue("b", False)
        self._takes_hints = RawValue("b", False)

    @property
    def failed_to_start(self) -> bool:
        """Whether a child could not start, and the worker stops for that reason; for the parent."""
        return bool(self._failed_to_start.value)

    def before_fork(self, **_: object) -> None:
        """Stop the worker when the last child died while it was loading: the next would die as well.

        Whoever started the worker starts it again, after a pause; Celery would do so at once and for ever.
        """
        if self._forked and not self._ready.value:
            log.error("worker_cannot_start", reason="the working process died while it was loading the network")
            self._give_up(os.getpid())
        self._forked = True
        self._ready.value = False
        self._alive.drop()
        self.deadlines.clear_all()

    def start(self, owner: str) -> None:
        """Load every model, then announce the worker. Without one of them the whole worker stops."""
        if self.failed_to_start:
            return
        try:
            self._start(owner)
        except Exception:
            # Celery only logs what a signal's receiver raises, and would go on with a child that can do nothing.
            log.exception("worker_cannot_start")
            self._give_up(os.getppid())

    def _give_up(self, parent_pid: int) -> None:
        self._failed_to_start.value = True
        os.kill(parent_pid, signal.SIGTERM)

    def _start(self, owner: str) -> None:
        settings = self._settings
        traces.start(settings, Part.WORKER)
        store = Ledger(connect(settings.redis_url.get_secret_value()), settings.ledger_limits())
        self._decoder = decoder = Decoder(DECODE_SECONDS, settings.max_decoder_bytes, settings.decoder_sandbox)
        segmenters = self._load_all()
        is_confined = decoder.require()
        if not is_confined:
            log.warning("decoders_unconfined", sandbox=settings.decoder_sandbox)
        for choice in settings.choices:
            change(
                WORKER_INFO,
                1,
                model=choice.model,
                precision=choice.precision,
                decoder="confined" if is_confined else "unconfined",
                **facts_of(segmenters[choice.lane]),
            )
        blobs = open_blob_store(settings)
        servers = [network.check for network in segmenters.values() if network.check is not None]
        self._health = Health(store, blobs, servers)
        runner = Runner(
            store=store,
            blobs=blobs,
            health=self._health,
            predict_for=lambda spec: segmenters[lane_of(spec)],
            soft_for=lambda spec: segmenters[lane_of(spec)].soft,
            owner=owner,
            limits=settings.source_limits(),
            beat_seconds=settings.beat_seconds,
            keep_rgb_profile=settings.keep_rgb_profile,
            keep_16_bit=settings.keep_16_bit,
            keep_rights=settings.keep_rights,
            keeps_masks=settings.account_kept_bytes > 0,
            threads=settings.thread_count(),
            read_image=decoder.read_image,
        )
        self._items = ConcurrentItems(runner, self.deadlines, settings.pixel_count())
        self._ready.value = True
        workers = [
            WorkerPresence(
                owner=owner, lane=lane, model=network.model, threads=network.threads, **facts_of(network)
            )
            for lane, network in segmenters.items()
        ]
        # Corrections run no network: any will do to say who is there.
        workers.append(replace(workers[0], lane=CORRECTIONS))

        self._hide = self._announce(owner, store.presence, workers, self._health)
        log.info(
            "worker_ready",
            owner=owner,
            lanes=[worker.lane for worker in workers],
            threads=settings.thread_count(),
            resident_bytes=resident_bytes(),
        )

    def _announce(
        self, owner: str, presence: Presence, workers: Sequence[WorkerPresence], health: Health
    ) -> Callable[[], None]:
        """Announce the worker from the time on when it takes hints; returns what ends that."""
        beat_seconds = self._settings.beat_seconds
        due_at_seconds, said_away = 0.0, ""

        def announce() -> None:
            nonlocal due_at_seconds, said_away
            is_due = time.monotonic() >= due_at_seconds
            if not self._takes_hints.value or not (is_due or said_away != health.away):
                return
            if is_due:
                health.watch()
            said_away = health.away
            for worker in workers:
                presence.announce(replace(worker, away=said_away), beat_seconds * PRESENCE_TTL_BEATS)
            self._alive.keep(beat_seconds * PRESENCE_TTL_BEATS)
            due_at_seconds = time.monotonic() + beat_seconds - LOOK_SECONDS / 2

        announcing = Every(min(beat_seconds, LOOK_SECONDS), announce, "presence", at_once=True)
        announcing.__enter__()

        def hide() -> None:
            announcing.__exit__()
            self._alive.drop()
            with suppress(LedgerUnavailable):  # then it is gone after a few beats
                presence.leave(owner)

        return hide

    def takes_hints(self, **_: object) -> None:
        """Let the worker be announced: its parent listens for hints. Celery calls it, in the parent."""
        self._takes_hints.value = True

    def _load_all(self) -> dict[Lane, Segmenter]:
        """Load every network that this worker offers."""
        settings = self._settings
        segmenters: dict[Lane, Segmenter] = {}
        for choice in settings.choices:
            segmenters[choice.lane] = segmenter = self._load(settings.for_choice(choice))
            log.info("network_ready", lane=choice.lane, **facts_of(segmenter))
        taken, limit = resident_bytes() or 0, settings.worker_byte_limit()
        # A single one is left to try: its process is replaced after each picture, which is slow, and known.
        if len(segmenters) > 1 and taken > limit:
            raise ModelUnavailable(
                f"{', '.join(segmenters)} take {taken} bytes, and the process is replaced past {limit}: offer "
                "fewer in CUTGATE_WORKER_MODELS, give the container more memory, or set CUTGATE_MAX_WORKER_BYTES"
            )
        return segmenters

    def run(self, lane: str) -> None:
        """Take one item of the lane, if one waits, and return when there is room for another."""
        if self._items is None or self._health is None:
            raise Reject("this worker could not start", requeue=True)
        if not self._health.can_work():
            time.sleep(AWAY_PAUSE_SECONDS)
            raise Reject("storage or inference server are away", requeue=True)
        self._items.take_one([Lane(lane)])
        if self._health.is_broken:
            self._items.drain()
            log.error("worker_gives_up", reason="it failed on a picture that is known to be good")
            self._hide()
            self._give_up(os.getppid())
            return
        # Celery replaces a child between two items when its *peak* is over the limit: one large picture would do.
        forget_peak()
        if not self._is_too_large():
            return
        # What is under way may be what takes the room; if not, the child is replaced, and leaves nothing behind.
        self._items.drain()
        forget_peak()
        if self._is_too_large():
            log.warning(
                "worker_too_large",
                resident_bytes=resident_bytes(),
                limit_bytes=self._settings.worker_byte_limit(),
            )

    def _is_too_large(self) -> bool:
        return (resident_bytes() or 0) > self._settings.worker_byte_limit()

    def finish(self, **_: object) -> None:
        """Bring to its end what is under way, and tell of it. Celery calls it when the child is told to leave."""
        if self._items is not None:
            self._items.drain()
        if self._decoder is not None:
            self._decoder.close()
        traces.stop()


def facts_of(segmenter: Segmenter) -> dict[str, str]:
    """What runs a network, for logs and metrics."""
    return {"engine": segmenter.engine, "provider": segmenter.provider, "dtype": segmenter.dtype}

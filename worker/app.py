"""The Celery side of a worker: one task, a prefork pool of one child, a session that is made after the fork."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack

import structlog
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from jobs.blobstores.choose import open_blob_store
from jobs.presence import Presence, WorkerPresence, owner_name
from jobs.queue import TASK_NAME, queue_name
from jobs.queues.celery import celery_settings
from jobs.spec import Lane
from jobs.stores.redis import RedisLedger, RedisPresence, connect
from worker.heartbeat import Every
from worker.images import ImageLimits
from worker.models.runtime import Segmenter, load_segmenter
from worker.runner import Runner
from worker.settings import WorkerSettings

log = structlog.get_logger(__name__)

PRESENCE_TTL_BEATS = 4
"""A worker counts as gone after so many beats of silence."""


class Child:
    """What lives in the pool's process. ONNX Runtime sessions do not survive a fork, so it starts after it."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._runner: Runner | None = None
        self._open = ExitStack()

    def start(self, **_: object) -> None:
        """Load the model, then announce the worker. Without a model the whole worker stops."""
        try:
            self._load()
        except Exception:
            # Celery only logs what a signal's receiver raises, and would go on with a child that can do nothing.
            log.exception("worker_cannot_start")
            os.kill(os.getppid(), signal.SIGTERM)

    def _load(self) -> None:
        settings = self._settings
        redis = connect(settings.redis_url.get_secret_value())
        segmenter = load_segmenter(settings)
        owner = owner_name(socket.gethostname(), os.getpid())
        self._runner = Runner(
            store=RedisLedger(redis, settings.ledger_limits()),
            blobs=open_blob_store(settings),
            predict=segmenter,
            owner=owner,
            limits=ImageLimits.of(settings),
            beat_seconds=settings.beat_seconds,
            keep_rgb_profile=settings.keep_rgb_profile,
            delete_source=settings.delete_source,
        )
        self._stay_present(RedisPresence(redis), presence_of(owner, settings.lane, segmenter))

    def _stay_present(self, presence: Presence, worker: WorkerPresence) -> None:
        ttl_seconds = self._settings.beat_seconds * PRESENCE_TTL_BEATS
        self._open.callback(presence.leave, worker.owner)
        self._open.enter_context(
            Every(
                self._settings.beat_seconds,
                lambda: presence.announce(worker, ttl_seconds),
                "presence",
                at_once=True,
            )
        )
        log.info("worker_ready", lane=worker.lane, provider=worker.provider, threads=worker.threads)

    def stop(self, **_: object) -> None:
        """Leave in order."""
        self._open.close()

    def run(self, lane: str) -> None:
        """Do one item of the lane, if one waits."""
        if self._runner is None:
            raise RuntimeError("the worker process was not started")
        self._runner.run_one([Lane(lane)])


def presence_of(owner: str, lane: Lane, segmenter: Segmenter) -> WorkerPresence:
    """What a worker with this segmenter says of itself."""
    return WorkerPresence(
        owner=owner,
        lane=lane,
        model=segmenter.model,
        engine=segmenter.engine,
        provider=segmenter.provider,
        threads=segmenter.threads,
    )


def make_app(settings: WorkerSettings) -> Celery:
    """The Celery application of one worker."""
    app = Celery("keycut", set_as_current=False)
    app.conf.update(celery_settings(settings.redis_url.get_secret_value()))
    app.conf.update(
        worker_hijack_root_logger=False,
        worker_proc_alive_timeout=settings.start_timeout_seconds,
    )
    child = Child(settings)
    worker_process_init.connect(child.start, weak=False)
    worker_process_shutdown.connect(child.stop, weak=False)
    app.task(child.run, name=TASK_NAME)
    return app


def run(settings: WorkerSettings) -> None:
    """Serve the worker's lane until the process is told to stop."""
    make_app(settings).worker_main(
        [
            "worker",
            "--pool=prefork",
            "--concurrency=1",
            f"--queues={queue_name(settings.lane)}",
            f"--hostname=keycut-{os.getpid()}@%h",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )

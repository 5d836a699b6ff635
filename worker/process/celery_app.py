"""The Celery side of a worker: one task, a prefork pool of one child, a session that is made after the fork.

It stays one child where several items are worked on at once, on a GPU for instance. Threads in it share the one
network, and whatever becomes of it, there is still a parent that notices, gives everything back and starts anew;
Celery's pools of threads have none. A task then ends when the child has claimed an item and has room for another.
"""

import os
import socket
import time
import warnings
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.apps import worker as celery_worker
from celery.exceptions import SecurityWarning
from celery.signals import (
    setup_logging,
    worker_before_create_process,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.hints.celery import celery_settings
from cutgate.jobs.hints.queue import TASK_NAME, queue_name
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.ledger.server import ServerUnfit
from cutgate.jobs.observe.metrics import PortUnavailable
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CORRECTIONS
from cutgate.jobs.upkeep.installation import Installation
from cutgate.worker.models.engines.runtime import require_servers
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.process.broker import HintBroker
from cutgate.worker.process.child import Child
from cutgate.worker.process.metrics import shown
from cutgate.worker.process.parent import HANG_MARGIN_SECONDS, Parent
from cutgate.worker.settings import WorkerSettings

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
"""How often Celery looks whether its child lives."""
WAIT_SECONDS = 1.0
"""Pause before an absent server is asked again."""


class LookAfterChild(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
    """Notices a dead child soon.

    Celery hears of a death when the child's files close, which is often before it can be waited for; then it looks
    again only every five seconds.
    """

    requires = ("celery.worker.components:Hub", "celery.worker.components:Pool")

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Have Celery look. It calls this for each connection to the broker, and forgets timers with it."""
        hub.call_repeatedly(LOOK_SECONDS, worker.pool.maintain_pool)


def make_app(settings: WorkerSettings, parent: Parent, child: Child) -> Celery:
    """The Celery application of one worker."""
    app = Celery("cutgate", set_as_current=False, amqp=HintBroker)
    app.conf.update(celery_settings(settings.redis_url.get_secret_value()))
    app.conf.update(
        worker_proc_alive_timeout=settings.start_timeout_seconds * len(settings.choices),
        # The child ends an item in time by itself; one that hangs in native code is killed. With several items at
        # once a task only waits for room, as long as any of them may take, and the parent watches each.
        task_time_limit=None if len(child.deadlines) > 1 else settings.job_timeout_seconds + HANG_MARGIN_SECONDS,
        worker_max_memory_per_child=settings.worker_byte_limit() // 1024,
    )
    # Celery leaves logging alone once somebody listens here; else it would silence the worker's own lines as well.
    setup_logging.connect(lambda **_: None, weak=False)
    worker_before_create_process.connect(parent.before_child, weak=False)
    worker_before_create_process.connect(child.before_fork, weak=False)
    worker_process_init.connect(lambda **_: child.start(parent.owner), weak=False)
    worker_process_shutdown.connect(child.finish, weak=False)
    worker_ready.connect(parent.ready, weak=False)
    worker_ready.connect(child.takes_hints, weak=False)
    worker_shutting_down.connect(parent.stopping, weak=False)
    # What it prints past the log when it is told to stop, the log says itself.
    celery_worker.safe_say = lambda *_: None
    app.steps["worker"].add(LookAfterChild)
    app.task(child.run, name=TASK_NAME)
    return app


def run(settings: WorkerSettings, child: Child | None = None) -> int:
    """Serve the worker's lanes until the process is told to stop."""
    child = child or Child(settings)
    redis_url = settings.redis_url.get_secret_value()
    client, blobs = connect(redis_url), open_blob_store(settings)
    store = Ledger(client, settings.ledger_limits())
    try:
        wait_for(store.server.require_fit)
        wait_for(Installation(store, blobs).require)
        wait_for(lambda: require_servers(settings))
    except (ServerUnfit, ModelUnavailable) as error:
        log.error("worker_cannot_start", reason=str(error))  # noqa: TRY400 — the text says it all
        return 1
    parent = Parent(settings, store, blobs, child.deadlines)
    # It warns of root, under which hints in pickle would be dangerous: ours are JSON.
    warnings.simplefilter("ignore", SecurityWarning)
    worker = make_app(settings, parent, child).Worker(
        pool_cls="prefork",
        concurrency=1,
        # Celery asks them in turn, so that no lane waits until a busy one is empty.
        queues=[queue_name(lane) for lane in (CORRECTIONS, *(choice.lane for choice in settings.choices))],
        hostname=f"cutgate-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    try:
        with shown(settings), parent:
            worker.start()
    except PortUnavailable as error:
        log.error("worker_cannot_start", reason=str(error))  # noqa: TRY400 — as above
        return 1
    return 1 if child.failed_to_start else worker.exitcode or 0


def wait_for(check: Callable[[], None]) -> None:
    """Return once a check is passed, whatever part is away until then.

    Raises:
        Exception: what the check finds wrong.
    """
    away = False
    while True:
        try:
            return check()
        except ServiceUnavailable as error:
            if not away:
                log.warning("waiting_for_service", kind=error.kind, message=error.message)
            away = True
            time.sleep(WAIT_SECONDS)

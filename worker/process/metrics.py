"""The worker's metrics: the time of each step, and the port that shows the counts of parent and child.

The parent answers scrapes: it lives on when its child dies, hangs or is replaced. Both count in files of one
folder, each in its own, and a child goes on in the files of the child before it, so that no counter ever falls.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cutgate.jobs.observe import metrics, traces
from cutgate.jobs.observe.metric_names import ITEM_SECONDS, STEP_SECONDS, Part
from cutgate.scratch import scratch_folder
from cutgate.worker.settings import WorkerSettings

CHILD: Final = "child"
"""The name under which a child counts; there is one at a time."""


@contextmanager
def shown(settings: WorkerSettings) -> Iterator[None]:
    """Show the metrics of this process, and of the children that it forks, as long as the block lasts.

    Without a port for it nothing is shown, nor shared.

    Raises:
        PortUnavailable: they cannot be shown where the settings say.
    """
    if settings.worker_metrics_port is None:
        yield
        return
    parent_pid = os.getpid()
    with scratch_folder(metrics.folder_parent()) as folder:
        metrics.share_between_processes(folder, lambda: "parent" if os.getpid() == parent_pid else CHILD)
        metrics.begin(Part.WORKER)
        with metrics.served(settings.metrics_host, settings.worker_metrics_port):
            yield


class Stopwatch:
    """Runs from an item's claim on. What lies between two steps counts for the later one."""

    decoding_seconds: float = 0
    """Of the picture that took longest to decode."""

    def __init__(self) -> None:
        self._started_ns = self._last_ns = time.monotonic_ns()
        self._clock_ahead_ns = time.time_ns() - self._started_ns

    def ended(self, step: str) -> None:
        """Note that a step has ended: it is a span of its own under the item's, from where the last one ended."""
        now_ns = time.monotonic_ns()
        seconds = (now_ns - self._last_ns) / 1e9
        metrics.observe(STEP_SECONDS, seconds, step=step)
        traces.past(step, seconds, now_ns + self._clock_ahead_ns)
        self._last_ns = now_ns

    def done(self) -> float:
        """Note that the item is done, and say after how many seconds."""
        seconds = (time.monotonic_ns() - self._started_ns) / 1e9
        metrics.observe(ITEM_SECONDS, seconds)
        return seconds

"""Many pictures in threads, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from keycut.batch import Batch, Outcome, Progress, Report
from keycut.flows import Driver
from keycut.planning import Order


def cut_all(
    driver: Driver,
    batch: Batch,
    orders: Sequence[Order],
    *,
    at_once: int,
    on_progress: Callable[[Progress], object] | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Bring pictures to their ends.

    Args:
        driver: carries the flows out.
        batch: makes the flows.
        orders: what to do.
        at_once: pictures on their way at a time.
        on_progress: called in this thread whenever a picture has ended.
        stop: set by whoever wants no further picture to be begun.
    """
    report, waiting, given_up = Report(len(orders)), iter(orders), threading.Event()
    running: set[Future[Outcome]] = set()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while True:
                if not (report.hopeless or (stop is not None and stop.is_set())):
                    begun = islice(waiting, at_once - len(running))
                    running |= {pool.submit(driver.run, batch.cut(order), given_up) for order in begun}
                if not running:
                    return report
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    progress = report.add(future.result())
                    if on_progress is not None:
                        on_progress(progress)
        except BaseException:  # Ctrl-C above all: the pool would otherwise wait for pictures that nobody wants
            given_up.set()
            raise

"""Many pictures in threads, several at a time."""

import threading
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from queue import SimpleQueue

from cutgate.batches.batch import Batch, Outcome, Progress, Report
from cutgate.batches.planning import PlannedPicture
from cutgate.protocol.flows import Driver


def cut_all(
    driver: Driver,
    batch: Batch,
    planned: Sequence[PlannedPicture],
    *,
    at_once: int,
    on_progress: Callable[[Progress], object] | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Bring pictures to their ends; no further one is begun once `stop` is set.

    `on_progress` is called in this thread whenever a picture has ended.
    """
    report, running = Report(len(planned)), 0
    waiting = takewhile(lambda _: not (report.hopeless or (stop is not None and stop.is_set())), planned)
    ended: SimpleQueue[Outcome | BaseException] = SimpleQueue()
    given_up = threading.Event()

    def bring(picture: PlannedPicture) -> None:
        try:
            ended.put(driver.run(batch.cut(picture), given_up))
        except BaseException as error:  # raised again where somebody waits
            ended.put(error)

    try:
        while True:
            for picture in islice(waiting, at_once - running):
                # Not a pool: at Ctrl-C nobody waits for threads that wait for the service.
                threading.Thread(target=bring, args=[picture], name=picture.target, daemon=True).start()
                running += 1
            if not running:
                return report
            outcome = ended.get()
            running -= 1
            if isinstance(outcome, BaseException):
                raise outcome
            progress = report.add(outcome)
            if on_progress is not None:
                on_progress(progress)
    finally:
        given_up.set()

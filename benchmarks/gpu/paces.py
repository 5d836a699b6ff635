"""Whole jobs and the network alone in a process that may use so many processors."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from benchmarks.job import do_job, network_alone
from benchmarks.photos import photo
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.settings import NetworkSettings


@dataclass(frozen=True, slots=True)
class Pace:
    """Pictures a second of one process: whole jobs side by side, and the network alone, run after run."""

    jobs: float
    network: float


def apart(settings: NetworkSettings, processors: int, megapixels: float, pictures: int) -> Pace:
    """`measure` in a fresh process, every thread of which has the same few processors."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(usable)[:processors])  # the process inherits it before it loads any library
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(measure, settings, processors, megapixels, pictures).result()
    finally:
        os.sched_setaffinity(0, usable)


def measure(settings: NetworkSettings, processors: int, megapixels: float, pictures: int) -> Pace:
    """Load a network, work through a queue once it is warm, and run the network alone as often."""
    segmenter, data = load_segmenter(settings), photo(megapixels)
    spec = CutoutSpec(model=settings.model, refinement=Refinement.AUTO)
    alone = network_alone(segmenter, data)
    with ThreadPoolExecutor(processors + 1) as pool:
        jobs = partial(pool.map, lambda _: do_job(data, spec, segmenter))
        list(jobs(range(processors + 1)))
        pace = _pace(lambda: list(jobs(range(pictures))), pictures)
    return Pace(pace, _pace(lambda: [alone() for _ in range(pictures)], pictures))


def _pace(work: Callable[[], object], pictures: int) -> float:
    started = time.perf_counter()
    work()
    return pictures / (time.perf_counter() - started)

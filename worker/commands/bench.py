"""Times the engines and precisions that this machine can run a model in, and recommends one."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Final

import numpy as np

from cutgate.jobs.spec import Precision
from cutgate.worker.machine.cpu import Processor
from cutgate.worker.machine.memory import resident_bytes
from cutgate.worker.models.engines.plans import ENGINES
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import EngineName, NetworkSettings

LEAST_ROUNDS: Final = 2
_RUNS: Final = 2
"""Runs of the network in a round, after the one that loading ends with."""
_WORTH_IT: Final = 0.95
"""A share of the default's time that another choice has to stay below to be recommended."""
_MIB: Final = 2**20
_HEAD: Final = "engine               precision dtype    run ms  ratio  CPU ms  load s   MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to run a model."""

    engine: EngineName
    precision: Precision

    def variables(self) -> str:
        """The settings that choose it."""
        return f"CUTGATE_ENGINE={self.engine} CUTGATE_PRECISION={self.precision}"


DEFAULT: Final = Choice(engine=EngineName.ONNXRUNTIME, precision=Precision.EXACT)
CHOICES: Final = tuple(Choice(engine=engine, precision=precision) for precision in Precision for engine in ENGINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What one process measured."""

    engine: str
    provider: str
    dtype: str
    load_seconds: float
    run_seconds: float
    """Of the network alone, the shortest of its runs."""
    cpu_seconds: float
    """Processor time of that run, of all threads."""
    resident_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A choice with its best figures, or why it cannot be had."""

    choice: Choice
    timing: Timing | None = None
    reason: str = ""


def measure(settings: NetworkSettings) -> Timing:
    """Load a network and time it, in this process.

    Raises:
        ModelUnavailable: it cannot be run as the settings ask.
    """
    from cutgate.worker.models.engines.network_run import NetworkRun
    from cutgate.worker.models.engines.runtime import load_segmenter

    begin = time.perf_counter()
    segmenter = load_segmenter(settings)
    load_seconds = time.perf_counter() - begin
    network = segmenter.predict
    # Of rembg's sessions the run cannot be told apart from their own processing.
    grey = np.full((64, 64, 3), 128, np.uint8)
    run: Callable[[], object] = (
        network.alone(grey) if isinstance(network, NetworkRun) else partial(segmenter, grey)
    )
    runs = [_timed(run) for _ in range(_RUNS)]
    run_seconds, cpu_seconds = min(runs)
    return Timing(
        engine=segmenter.engine,
        provider=segmenter.provider,
        dtype=segmenter.dtype,
        load_seconds=load_seconds,
        run_seconds=run_seconds,
        cpu_seconds=cpu_seconds,
        resident_bytes=resident_bytes() or 0,
    )


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    begin, cpu_begin = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - begin, time.process_time() - cpu_begin


def compare(settings: NetworkSettings, rounds: int, say: Callable[[str], object]) -> list[Finding]:
    """Measure every choice in turns, each in a process of its own, one process at a time.

    Turns spread what else the machine does over all choices alike; the first round warms the disk's cache and
    prepares graphs, and does not count.

    Args:
        settings: model, folders, device and threads.
        rounds: how often, at least `LEAST_ROUNDS`.
        say: told what goes on.
    """
    failed: dict[Choice, str] = {}
    timings: dict[Choice, list[Timing]] = {}
    for number in range(rounds):
        for choice in (choice for choice in CHOICES if choice not in failed):
            say(f"round {number + 1} of {rounds}: {choice.engine} {choice.precision}")
            try:
                timing = _apart(
                    settings.model_copy(update={"engine": choice.engine, "precision": choice.precision})
                )
            except ModelUnavailable as error:
                failed[choice] = str(error).partition("\n")[0]
                continue
            if number > 0:
                timings.setdefault(choice, []).append(timing)
    return [
        Finding(choice=choice, reason=failed[choice])
        if choice in failed
        else Finding(choice=choice, timing=min(timings[choice], key=lambda timing: timing.run_seconds))
        for choice in CHOICES
    ]


def _apart(settings: NetworkSettings) -> Timing:
    """`measure` in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, settings).result()
        except BrokenProcessPool as error:
            raise ModelUnavailable("its process died; there may not be enough memory") from error


def report(findings: Sequence[Finding], processor: Processor) -> list[str]:
    """A table of the findings, what the processor lacks, and a recommendation; lines for a terminal."""
    lacking = processor.lacks()
    lines = [
        f"processor: {processor.name}; " + (f"no {', no '.join(lacking)}" if lacking else "bf16, VNNI and AMX"),
        _HEAD,
    ]
    base = next((found.timing for found in findings if found.choice == DEFAULT), None)
    lines += [_row(found, base) for found in findings]
    return [*lines, *_advice(findings)]


def _row(found: Finding, base: Timing | None) -> str:
    timing = found.timing
    if timing is None:
        return f"{found.choice.engine:20} {found.choice.precision:9} cannot be had: {found.reason}"
    ratio = f"{timing.run_seconds / base.run_seconds:6.2f}" if base else f"{'-':>6}"
    return (
        f"{timing.engine:20} {found.choice.precision:9} {timing.dtype:7} "
        f"{timing.run_seconds * 1000:7.1f} {ratio} {timing.cpu_seconds * 1000:7.1f} "
        f"{timing.load_seconds:7.2f} {timing.resident_bytes / _MIB:5.0f}"
    )


def _advice(findings: Iterable[Finding]) -> list[str]:
    """The exact choice to make, and the fast one where it gains something."""
    seconds = {found.choice: found.timing.run_seconds for found in findings if found.timing}
    exact = {choice: needed for choice, needed in seconds.items() if choice.precision is Precision.EXACT}
    if not exact:
        return ["nothing can be recommended: no engine runs this model"]
    best = min(exact, key=exact.__getitem__)
    if DEFAULT in exact and exact[best] > _WORTH_IT * exact[DEFAULT]:
        best = DEFAULT
    lines = [f"recommended: {best.variables()}"]
    quick = min(seconds, key=seconds.__getitem__)
    if quick.precision is Precision.FAST and seconds[quick] < _WORTH_IT * seconds[best]:
        share = seconds[quick] / seconds[best]
        lines.append(f"{share:.0%} of its time, where hard photos may differ: {quick.variables()}")
    return lines

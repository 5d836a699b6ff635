"""`doctor --bench`: times the engines and precisions that this machine can run a model in, and recommends one."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Final

import numpy as np

from cutgate.jobs.errors import InferenceUnavailable
from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.machine.cpu import Processor
from cutgate.worker.machine.memory import resident_bytes
from cutgate.worker.models.engines.plans import ENGINES, engine_for
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import Device, EngineName, NetworkSettings

LEAST_ROUNDS: Final = 2
ROUNDS: Final = 3
MEAN_LEVELS: Final = 0.5
MOST_LEVELS: Final = 12
"""Levels of 255 by which an exact mask may differ from single precision's: over all pixels, and in any one."""
_RUNS: Final = 2
"""Runs of the network in a round, after the one that loading ends with."""
_SAMPLE_PX: Final = 1024
_WORTH_IT: Final = 0.95
"""A share of the default's time that another one has to stay below to be recommended."""
_MIB: Final = 2**20
_HEAD: Final = "engine               precision dtype    run ms  ratio  CPU ms  load s   MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One way to run a model."""

    engine: EngineName
    precision: Precision

    def variables(self) -> str:
        """The settings that choose it."""
        return f"CUTGATE_ENGINE={self.engine} CUTGATE_PRECISION={self.precision}"


SETUPS: Final = tuple(Setup(engine=engine, precision=precision) for precision in Precision for engine in ENGINES)
_REMOTE: Final = Setup(engine=EngineName.REMOTE, precision=Precision.EXACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Measurements of one process."""

    engine: str
    dtype: str
    load_seconds: float
    run_seconds: float
    """Of the network alone, the shortest of its runs."""
    cpu_seconds: float
    """Processor time of that run, of all threads."""
    resident_bytes: int
    mask: ByteMask
    """Of the sample picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A setup with its best figures, or why it is not recommended however fast."""

    setup: Setup
    timing: Timing | None = None
    refused: str = ""


def measure(settings: NetworkSettings) -> Timing:
    """Load a network and time it, in this process."""
    from cutgate.worker.models.engines.network_run import NetworkRun
    from cutgate.worker.models.engines.runtime import load_segmenter

    begin = time.perf_counter()
    segmenter = load_segmenter(settings)
    load_seconds = time.perf_counter() - begin
    network, sample = segmenter.predict, sample_picture()
    mask = segmenter(sample)
    # Of rembg's sessions the run cannot be told apart from their own processing.
    run: Callable[[], object] = (
        network.alone(sample) if isinstance(network, NetworkRun) else partial(segmenter, sample)
    )
    run_seconds, cpu_seconds = min(_timed(run) for _ in range(_RUNS))
    return Timing(
        engine=segmenter.engine,
        dtype=segmenter.dtype,
        load_seconds=load_seconds,
        run_seconds=run_seconds,
        cpu_seconds=cpu_seconds,
        resident_bytes=resident_bytes() or 0,
        mask=mask,
    )


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    begin, cpu_begin = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - begin, time.process_time() - cpu_begin


def sample_picture() -> RgbImage:
    """A reddish egg with a soft edge before a bluish wall, both of them shaded: (1024, 1024, 3) uint8."""
    rows, columns = np.mgrid[0 : 1 : _SAMPLE_PX * 1j, 0 : 1 : _SAMPLE_PX * 1j].astype(np.float32)
    wall = np.stack([90 + 90 * rows, 120 + 70 * rows + 20 * columns, 160 + 50 * columns], axis=-1)
    egg = np.stack([215 - 120 * rows, 70 + 60 * columns, 90 - 40 * rows], axis=-1)
    inside = 0.08 - 0.9 * (columns - 0.5) ** 2 - 0.6 * (rows - 0.52) ** 2
    alpha = (1 / (1 + np.exp(-220 * inside)))[..., None]
    return np.asarray(alpha * egg + (1 - alpha) * wall, np.uint8)


def compare(settings: NetworkSettings, rounds: int, say: Callable[[str], object]) -> list[Finding]:
    """Measure every setup in turns, each in a process of its own, one process at a time.

    Turns spread what else the machine does over all setups alike; the first round warms the disk's cache and
    prepares graphs, and does not count.
    """
    setups = [setup for setup in SETUPS if settings.device in ENGINES[setup.engine].devices]
    if settings.inference_url is not None:
        setups.append(_REMOTE)
    failed: dict[Setup, str] = {}
    timings: dict[Setup, list[Timing]] = {}
    for number in range(rounds):
        for setup in (setup for setup in setups if setup not in failed):
            say(f"round {number + 1} of {rounds}: {setup.engine} {setup.precision}")
            try:
                timing = _apart(settings.model_copy(update={"engine": setup.engine, "precision": setup.precision}))
            except (InferenceUnavailable, ModelUnavailable) as error:
                failed[setup] = str(error).partition("\n")[0]
                continue
            if number > 0:
                timings.setdefault(setup, []).append(timing)
    best = {setup: min(measured, key=lambda timing: timing.run_seconds) for setup, measured in timings.items()}
    reference = next((timing.mask for timing in best.values() if timing.dtype == "fp32"), None)
    if best and settings.device is Device.GPU:  # which computes in the weights' own numbers
        plain = {"engine": EngineName.ONNXRUNTIME, "precision": Precision.EXACT, "device": Device.CPU}
        reference = _apart(settings.model_copy(update=plain)).mask
    return [
        Finding(setup=setup, refused=failed[setup])
        if setup in failed
        else Finding(setup=setup, timing=best[setup], refused=_why_refused(setup, best[setup], reference))
        for setup in setups
    ]


def _apart(settings: NetworkSettings) -> Timing:
    """`measure` in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, settings).result()
        except BrokenProcessPool as error:
            raise ModelUnavailable("its process died; there may not be enough memory") from error


def _why_refused(setup: Setup, timing: Timing, reference: ByteMask | None) -> str:
    if setup.precision is not Precision.EXACT or reference is None:
        return ""
    return why_not_exact(timing.mask, reference)


def why_not_exact(mask: ByteMask, reference: ByteMask) -> str:
    """How far a mask is from single precision's; empty where it is as good as the same."""
    difference = np.abs(mask.astype(np.int16) - reference)
    if difference.mean() <= MEAN_LEVELS and difference.max() <= MOST_LEVELS:
        return ""
    return f"not exact: {difference.mean():.1f} levels of 255 off on average, {difference.max()} at most"


def default_setup(settings: NetworkSettings, processor: Processor) -> Setup:
    """What `CUTGATE_ENGINE=auto` means for the settings' device."""
    unset = settings.model_copy(update={"engine": EngineName.AUTO, "precision": Precision.EXACT})
    return Setup(engine=engine_for(unset, processor), precision=Precision.EXACT)


def report(findings: Sequence[Finding], default: Setup, processor: Processor) -> list[str]:
    """A table of the findings, what the processor lacks, and a recommendation; lines for a terminal."""
    lacking = processor.lacks()
    base = next((found.timing for found in findings if found.setup == default), None)
    return [
        f"processor: {processor.name}; " + (f"no {', no '.join(lacking)}" if lacking else "bf16, VNNI and AMX"),
        _HEAD,
        *(_row(found, base) for found in findings),
        *_advice(findings, default),
    ]


def _row(found: Finding, base: Timing | None) -> str:
    timing = found.timing
    if timing is None:
        return f"{found.setup.engine:20} {found.setup.precision:9} cannot be had: {found.refused}"
    ratio = f"{timing.run_seconds / base.run_seconds:6.2f}" if base else f"{'-':>6}"
    row = (
        f"{timing.engine:20} {found.setup.precision:9} {timing.dtype:7} "
        f"{timing.run_seconds * 1000:7.1f} {ratio} {timing.cpu_seconds * 1000:7.1f} "
        f"{timing.load_seconds:7.2f} {timing.resident_bytes / _MIB:5.0f}"
    )
    return f"{row}  {found.refused}".rstrip()


def _advice(findings: Iterable[Finding], default: Setup) -> list[str]:
    """The exact setup to choose, and the fast one where it gains something."""
    seconds = {found.setup: found.timing.run_seconds for found in findings if found.timing and not found.refused}
    exact = {setup: needed for setup, needed in seconds.items() if setup.precision is Precision.EXACT}
    if not exact:
        return ["nothing can be recommended: no engine runs this model"]
    best = min(exact, key=exact.__getitem__)
    if default in exact and exact[best] > _WORTH_IT * exact[default]:
        best = default
    lines = [f"recommended: {best.variables()}" + (", which is the default here" if best == default else "")]
    quick = min(seconds, key=seconds.__getitem__)
    if quick.precision is Precision.FAST and seconds[quick] < _WORTH_IT * seconds[best]:
        share = seconds[quick] / seconds[best]
        lines.append(f"{share:.0%} of its time, where hard photos may differ: {quick.variables()}")
    return lines

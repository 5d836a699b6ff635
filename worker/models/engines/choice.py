"""The engine that computes a network exactly in the shortest time on this machine: tried once, and remembered.

The processor's features choose the engine (`plans`) until a trial has compared it with the other one, which a
worker starts when it has nothing to do. Of those whose map is that of single precision the one is taken that needs
the least processor time, from the next start on. What was found lies beside the graph, in a file for each
processor, number of threads, set of versions and graph.
"""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from cutgate.files import try_lock, write_whole
from cutgate.jobs.spec import Precision
from cutgate.scratch import scratch_folder
from cutgate.worker.cutout.raster.arrays import ByteMask, Floats, RgbImage
from cutgate.worker.machine.cpu import Processor, this_processor
from cutgate.worker.models.engines.plans import ENGINES, Plan, is_installed
from cutgate.worker.models.engines.prepared import Prepared
from cutgate.worker.models.engines.processing import Processing
from cutgate.worker.models.engines.trial import TrialFailed, run_apart
from cutgate.worker.models.weights.model import WeightsFile
from cutgate.worker.settings import Device, EngineName, NetworkSettings

MEAN_LEVELS: Final = 0.5
MOST_LEVELS: Final = 12
"""Levels of 255 by which an exact map may differ from single precision's: over all pixels, and in any one."""
_REMEDY: Final = "`models try --again` tries anew, CUTGATE_ENGINE decides otherwise"


class Facts(BaseModel):
    """What a choice depends on: where any of it differs, the engines are tried again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    features: str
    """As Linux names them, with blanks between."""
    threads: int
    engines: dict[str, str]
    """Versions of those that are installed."""
    graph: str
    """Name of the prepared graph's file, which holds its digest."""


class Attempt(BaseModel):
    """One engine in one type of number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineName
    floats: str
    seconds: float | None
    """Of processor time, all threads together, for one picture."""
    refused: str
    """Why it is not taken, however fast; empty where nothing speaks against it."""

    @property
    def way(self) -> tuple[EngineName, str]:
        """Engine and type of number."""
        return self.engine, self.floats

    def __str__(self) -> str:
        seconds = "" if self.seconds is None else f" {self.seconds:.2f} s"
        return f"{self.engine} {self.floats}{seconds}" + (f" ({self.refused})" if self.refused else "")


class Choice(BaseModel):
    """What came of the attempts, as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: Facts
    attempts: tuple[Attempt, ...]

    @property
    def best(self) -> Attempt | None:
        """The fastest that nothing speaks against; None where nothing is known of any."""
        fit = [attempt for attempt in self.attempts if attempt.seconds is not None and not attempt.refused]
        return min(fit, key=lambda attempt: attempt.seconds or 0.0, default=None)

    def __str__(self) -> str:
        best = self.best
        others = ", ".join(str(attempt) for attempt in self.attempts if attempt is not best)
        return f"{best} of processor time a picture; {others}" if best else others


def is_open(settings: NetworkSettings) -> bool:
    """Whether the settings leave the engine to be found out."""
    return (
        settings.engine is EngineName.AUTO
        and settings.device is Device.CPU
        and settings.precision is Precision.EXACT
    )


def candidates(plan: Plan, processor: Processor) -> tuple[Plan, ...]:
    """The plan with each installed engine, in its fastest type of number that may be exact; its own one first."""
    plans = (
        replace(plan, engine=name, floats=floats, dtype=floats)
        for name, row in ENGINES.items()
        if is_installed(name)
        for floats in ("bf16" if row.uses_bf16 and processor.has_bf16 else "fp32",)
    )
    return tuple(sorted(plans, key=lambda each: each.engine is not plan.engine))


def remembered(plan: Plan, settings: NetworkSettings, graph: Path) -> Plan:
    """The plan with the engine that was found to be the best for a prepared graph here; else as it is."""
    if not is_open(settings):
        return plan
    processor = this_processor()
    choice = _read(graph, _facts(plan, processor, graph))
    best = choice.best if choice else None
    # The file may have been written by others: it picks one of what can be had, and nothing else.
    fit = (each for each in candidates(plan, processor) if best and (each.engine, each.floats) == best.way)
    return next(fit, plan)


def can_be_tried(network: Prepared) -> bool:
    """Whether the settings and the machine leave a choice that a trial may make."""
    is_wanted = is_open(network.settings) and network.settings.engine_trial_seconds > 0
    return is_wanted and len(candidates(network.plan, this_processor())) > 1


def is_untried(network: Prepared) -> bool:
    """Whether a trial would find out what is not known yet."""
    return can_be_tried(network) and known_choice(network) is None


def known_choice(network: Prepared) -> Choice | None:
    """What is remembered of a network on this machine."""
    return _read(network.graph, _facts(network.plan, this_processor(), network.graph))


def try_engines(network: Prepared) -> Choice | None:
    """Try the engines on a network and remember what came of it; one trial at a time in a cache folder.

    Returns:
        What is remembered now; None where another process is at it.

    Raises:
        OSError: the cache folder cannot be written.
    """
    with _only_one(network.graph.parent) as alone:
        if not alone:
            return None
        processor = this_processor()
        facts = _facts(network.plan, processor, network.graph)
        choice = _tried(candidates(network.plan, processor), facts, network)
        write_whole(_path(network.graph, facts), choice.model_dump_json(indent=2).encode())
        return choice


def told(network: Prepared, choice: Choice) -> str:
    """What a choice means, for a person."""
    kept = f"remembered in {_path(network.graph, choice.facts)}; {_REMEDY}"
    if choice.best:
        return f"engine: {choice}; {kept}"
    return f"engine: {network.plan.engine} {network.plan.floats} by the processor's features: {choice}; {kept}"


@contextmanager
def _only_one(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock, which ends with this process; False where another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


def _tried(plans: tuple[Plan, ...], facts: Facts, network: Prepared) -> Choice:
    """Try one plan after the other; each may take its share of the time.

    Raises:
        OSError: the graph's folder cannot be written.
    """
    processing = Processing(network.row, np.dtype(np.float32))
    batch = _prepared(processing, network.row)
    share_seconds = network.settings.engine_trial_seconds / len(plans)
    seconds: dict[Plan, float] = {}
    levels: dict[Plan, ByteMask] = {}
    failed: dict[Plan, str] = {}
    with scratch_folder(network.graph.parent) as folder:
        for plan in plans:
            try:
                outcome = run_apart(network.graph, plan, batch, folder, share_seconds)
            except TrialFailed as error:
                failed[plan] = str(error)
                continue
            seconds[plan] = outcome.seconds
            levels[plan] = processing.mask(outcome.output, *outcome.output.shape)
    reference = next((levels[plan] for plan in plans if plan.floats == "fp32" and plan in levels), None)
    attempts = (
        Attempt(
            engine=plan.engine,
            floats=plan.floats,
            seconds=seconds.get(plan),
            refused=failed.get(plan) or inexact(levels[plan], reference),
        )
        for plan in plans
    )
    return Choice(facts=facts, attempts=tuple(attempts))


def inexact(levels: ByteMask, reference: ByteMask | None) -> str:
    """What is wrong with a map beside the one that single precision gives; empty where it is as good as the same.

    Args:
        levels: (height, width) uint8.
        reference: the same in single precision; None where that could not be had.
    """
    if reference is None:
        return "nothing to compare it with"
    difference = np.abs(levels.astype(np.int16) - reference)
    if difference.mean() <= MEAN_LEVELS and difference.max() <= MOST_LEVELS:
        return ""
    return f"not exact: {difference.mean():.1f} levels of 255 off on average, {difference.max()} at most"


def _prepared(processing: Processing, row: WeightsFile) -> Floats:
    """One picture, as large as the network sees it at most, and ready for it; (1, 3, height, width)."""
    batch = processing.new_batch(*row.input_px)
    processing.prepare(sample_picture(*row.input_px), batch[0])
    return batch


def sample_picture(height_px: int, width_px: int) -> RgbImage:
    """A reddish egg with a soft edge before a bluish wall, both of them shaded: (height_px, width_px, 3) uint8."""
    rows, columns = np.mgrid[0 : 1 : height_px * 1j, 0 : 1 : width_px * 1j].astype(np.float32)
    wall = np.stack([90 + 90 * rows, 120 + 70 * rows + 20 * columns, 160 + 50 * columns], axis=-1)
    egg = np.stack([215 - 120 * rows, 70 + 60 * columns, 90 - 40 * rows], axis=-1)
    inside = 0.08 - 0.9 * (columns - 0.5) ** 2 - 0.6 * (rows - 0.52) ** 2
    alpha = (1 / (1 + np.exp(-220 * inside)))[..., None]
    return np.asarray(alpha * egg + (1 - alpha) * wall, np.uint8)


def _facts(plan: Plan, processor: Processor, graph: Path) -> Facts:
    return Facts(
        processor=processor.name,
        features=" ".join(sorted(processor.features)),
        threads=plan.threads,
        engines={str(name): _version(ENGINES[name].library) for name in ENGINES if is_installed(name)},
        graph=graph.name,
    )


def _version(library: str) -> str:
    """Of an installed library; that for GPUs has another name, and computes on processors as well."""
    for distribution in (library, f"{library}-gpu"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _path(graph: Path, facts: Facts) -> Path:
    digest = hashlib.sha256(facts.model_dump_json().encode()).hexdigest()
    return graph.with_name(f"engine-{digest[:16]}.json")


def _read(graph: Path, facts: Facts) -> Choice | None:
    """What is remembered; None where there is nothing, or nothing that holds for this machine."""
    try:
        choice = Choice.model_validate_json(_path(graph, facts).read_bytes())
    except (OSError, ValidationError):
        return None
    return choice if choice.facts == facts else None

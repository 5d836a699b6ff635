"""Whether a worker's memory stays level, and how much a very large picture takes."""

import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import mean
from typing import Final

from benchmarks.bounds import Bound, at_most
from benchmarks.memory import MEGAPIXELS, MIB, Bench
from benchmarks.speed.rows import Row, figure
from cutgate.jobs.observe import logs
from cutgate.jobs.spec import CutoutSpec, Output, Refinement
from cutgate.worker.settings import NetworkSettings

WARM_JOBS: Final = 30
LEVEL: Final = at_most(1.05)
LARGE_MEGAPIXELS: Final = 50
LARGE: Final = at_most(1.5)
"""GiB over the loaded network."""

KINDS: Final = (
    (Refinement.AUTO, Output.CUTOUT),
    (Refinement.ON, Output.CUTOUT),
    (Refinement.OFF, Output.CUTOUT),
    (Refinement.AUTO, Output.MASK),
)
CYCLE: Final = 12
"""After so many jobs every size was done in the same kinds: what is compared is the mean over one such cycle."""


def measure(jobs: int) -> list[Row]:
    """Memory after many jobs of mixed sizes and kinds over that after the first ones; then one large picture."""
    logs.configure("console", "warning")
    settings = NetworkSettings()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(settings, Path(folder))
        sizes: list[int] = []
        mixed = zip(cycle(MEGAPIXELS), cycle(specs(settings.model)), strict=False)
        for number, (megapixels, spec) in enumerate(islice(mixed, jobs), 1):
            sizes.append(bench.measure(megapixels, spec).resident_bytes)
            if number % WARM_JOBS == 0:
                print(f"memory: {number} of {jobs} jobs", file=sys.stderr, flush=True)
        large = bench.measure(LARGE_MEGAPIXELS, specs(settings.model)[0])
    return [*levels(sizes, LEVEL), large_row(large.peak_bytes, sizes[-1])]


def specs(model: str) -> list[CutoutSpec]:
    """The kinds of jobs that are mixed."""
    return [CutoutSpec(model=model, refinement=refinement, output=output) for refinement, output in KINDS]


def levels(sizes: Sequence[int], bound: Bound) -> list[Row]:
    """Resident sizes after each job as rows: early, at the end, and their ratio where there are enough jobs."""
    if len(sizes) < WARM_JOBS + CYCLE:
        return [
            figure(f"resident after {len(sizes)} jobs, too few to compare", sizes[-1] / MIB, None, ".0f", " MiB")
        ]
    early, late = mean(sizes[WARM_JOBS - CYCLE : WARM_JOBS]), mean(sizes[-CYCLE:])
    return [
        figure(f"resident after {WARM_JOBS} mixed jobs", early / MIB, None, ".0f", " MiB"),
        figure(f"resident after {len(sizes)} mixed jobs", late / MIB, None, ".0f", " MiB"),
        figure(f"after {len(sizes)} over after {WARM_JOBS}", late / early, bound, ".3f"),
    ]


def large_row(peak_bytes: int, resident_bytes: int) -> Row:
    """What a large picture took over what the process held before it."""
    name = f"{LARGE_MEGAPIXELS} MP, HairOptimization auto: peak over the loaded network"
    return figure(name, (peak_bytes - resident_bytes) / 2**30, LARGE, ".2f", " GiB")

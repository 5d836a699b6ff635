"""What a job costs beside its network: CPU milliseconds on one thread, here and in an earlier tree, in turn."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import Absent
from benchmarks.bounds import at_most
from benchmarks.pages import table
from benchmarks.photos import Photo
from benchmarks.speed.engines import Goals
from benchmarks.speed.rows import NONE, Row, beside_before
from cutgate.worker.settings import NetworkSettings

GOALS: Final[Mapping[str, Goals]] = {
    "auto": {1: at_most(60), 4: at_most(110), 12: at_most(220)},
    "off": {1: at_most(16), 4: at_most(45), 12: at_most(130)},
}
"""CPU milliseconds by HairOptimization and megapixels, on a machine where commit 8637358 takes 94, 162 and 380
of the portrait, and 30, 78 and 217."""

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
PROBE: Final = Path(__file__).with_name("probe.py")
ROOT: Final = PROBE.parents[2]
LEAST_MS: Final = 0.5
"""Steps below it are not shown."""

Costs = dict[str, float]
"""CPU seconds by step."""


def python_of(tree: Path) -> str:
    """The Python that a checkout runs with.

    Raises:
        Absent: it has no virtual environment of its own.
    """
    if tree == ROOT:
        return sys.executable
    python = tree / ".venv" / "bin" / "python"
    if not python.is_file():
        raise Absent(f"{tree} is no checkout with a virtual environment: {python} is not there")
    return str(python)


class TreeProbe:
    """`probe.py` at work in a tree."""

    def __init__(self, tree: Path, process: subprocess.Popen[str]) -> None:
        self._tree, self._process = tree, process

    def costs(self, photo: Path, refinement: str) -> Costs:
        """What one job costs.

        Raises:
            Absent: the tree cannot do it; standard error says why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"photo": str(photo), "refinement": refinement}) + "\n")
            costs: Costs = json.loads(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):  # it has ended, before the request or over it
            raise Absent(f"{self._tree} cannot be measured: its probe has failed") from None
        return costs


@contextmanager
def probe_of(tree: Path, cache_dir: Path) -> Iterator[TreeProbe]:
    """A probe in a tree, which ends with the block."""
    command = [python_of(tree), "-P", str(PROBE), str(NetworkSettings().models_dir), str(cache_dir)]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(tree)}
    with subprocess.Popen(
        command, bufsize=1, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield TreeProbe(tree, process)


def measure(photos: Sequence[Photo], rounds: int, before: Path | None) -> tuple[list[Row], str]:
    """CPU time of each photo's job, without and with refinement.

    Args:
        photos: what to do.
        rounds: how often, after one that is not measured.
        before: an earlier checkout to compare with, with a virtual environment of its own.

    Returns:
        A row for each job, and a table of its steps.

    Raises:
        Absent: a tree cannot be measured.
    """
    rows, steps = [], {}
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="cutgate-speed-")))
        probes = [undo.enter_context(probe_of(ROOT, NetworkSettings().cache_dir))]
        if before:
            probes.append(undo.enter_context(probe_of(before, folder / "graphs")))
        for photo in photos:
            print(f"overhead: {photo.name}", file=sys.stderr, flush=True)
            file = folder / f"{photo.name}.jpg"
            file.write_bytes(photo.data)
            for refinement, goals in GOALS.items():
                name = f"{photo.name}: HairOptimization {refinement}"
                # The first of a turn may take longer, whichever it is.
                ways = [1 if turn % 2 else -1 for turn in range(rounds + 1)]
                taken = [[probe.costs(file, refinement) for probe in probes[::way]][::way] for way in ways][1:]
                totals = [[1000 * sum(costs.values()) for costs in each] for each in taken]
                rows.append(beside_before(name, totals, goals.get(photo.megapixels), ".0f", " ms"))
                steps[name] = [least(each) for each in zip(*taken, strict=True)]
    return rows, as_steps(steps)


def least(rounds: Sequence[Costs]) -> Costs:
    """Each step's least milliseconds."""
    names = dict.fromkeys(name for costs in rounds for name in costs)
    return {name: 1000 * min(costs[name] for costs in rounds) for name in names}


def as_steps(jobs: Mapping[str, Sequence[Costs]]) -> str:
    """A column for each step: milliseconds now, and in brackets before."""
    every = dict.fromkeys(name for sides in jobs.values() for costs in sides for name in costs)
    shown = [name for name in every if any(c.get(name, 0) >= LEAST_MS for sides in jobs.values() for c in sides)]
    cells = [
        [job, *(_beside([costs.get(name) for costs in sides]) for name in shown)] for job, sides in jobs.items()
    ]
    return table(["CPU ms of it", *shown], cells)


def _beside(sides: Sequence[float | None]) -> str:
    now, *before = (NONE if cost is None else f"{cost:.1f}" for cost in sides)
    return f"{now} ({before[0]})" if before else now

"""What a job costs beside its network: CPU milliseconds on one thread, here and at another commit, in turn."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks import Absent
from benchmarks.bounds import at_most
from benchmarks.pages import table
from benchmarks.photos import Photo
from benchmarks.speed.engines import Goals
from benchmarks.speed.rows import NONE, Row, beside_before
from benchmarks.trees import Tree, here, worktree
from cutgate.worker.settings import NetworkSettings

GOALS: Final[Mapping[str, Goals]] = {
    "auto": {1: at_most(60), 4: at_most(110), 12: at_most(220)},
    "off": {1: at_most(16), 4: at_most(45), 12: at_most(130)},
}
"""CPU milliseconds by HairOptimization and megapixels, on a machine where commit 8637358 takes 94, 162 and 380
of the portrait, and 30, 78 and 217."""

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
LEAST_MS: Final = 0.5
"""Steps below it are not shown."""

Costs = dict[str, float]
"""CPU seconds by step."""


def probed(tree: Tree, cache_dir: Path, photos: Sequence[Path]) -> Any:
    """The costs of jobs in a tree, by photo and refinement."""
    command = [sys.executable, "-m", "benchmarks.speed.probe", str(NetworkSettings().models_dir), str(cache_dir)]
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(tree.root)}
    done = subprocess.run(
        [*command, *map(str, photos)], cwd=tree.root, env=environment, stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise Absent(f"{tree.commit} cannot be measured: its probe has failed")
    return json.loads(done.stdout)


def measure(photos: Sequence[Photo], rounds: int, reference: str | None) -> tuple[list[Row], str]:
    """Rows of each photo's job, without and with refinement, beside another commit's; and a table of its steps."""
    rows, steps = [], {}
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="cutgate-speed-")))
        trees = {here(): NetworkSettings().cache_dir}
        if reference:
            trees[undo.enter_context(worktree(reference))] = folder / "graphs"
        files = {photo: folder / f"{photo.name}.jpg" for photo in photos}
        for photo, file in files.items():
            file.write_bytes(photo.data)
        taken = []
        for number in range(rounds):
            print(f"overhead: {number + 1} of {rounds} rounds", file=sys.stderr, flush=True)
            taken.append([probed(tree, cache_dir, [*files.values()]) for tree, cache_dir in trees.items()])
        for photo, file in files.items():
            for refinement, goals in GOALS.items():
                name = f"{photo.name}: HairOptimization {refinement}"
                costs = [[found[str(file)][refinement] for found in each] for each in taken]
                totals = [[1000 * sum(of_tree.values()) for of_tree in each] for each in costs]
                rows.append(beside_before(name, totals, goals.get(photo.megapixels), ".0f", " ms"))
                steps[name] = [least(each) for each in zip(*costs, strict=True)]
    return rows, as_steps(steps)


def least(rounds: Sequence[Costs]) -> Costs:
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

"""What a newcomer waits for: seconds of `make demo` until its first file, here and in an earlier tree, in turn."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks import Absent
from benchmarks.photos import PORTRAIT
from benchmarks.speed.overhead import ROOT, python_of
from benchmarks.speed.rows import Row, beside_before
from cutgate.worker.settings import NetworkSettings

PROGRAM: Final = """
import sys
from pathlib import Path
from examples import demo
demo.EXAMPLES, demo.OUT, demo.DATA = map(Path, sys.argv[1:])
del sys.argv[1:]
demo.main()
"""
"""The demo's own code, on folders of its own."""

PREFIXES: Final = ("CUTGATE", "KEYCUT")
"""Of settings, now and in commit 8637358."""

FIRST_JOB: Final = re.compile(r" cutout\b.*?(\d+\.\d+)\D*$", re.MULTILINE)
"""A line of the demo's table of seconds; its last column is the total."""

Seconds = tuple[float, float]
"""From the first submit to its file, and from the start of the command to that file."""


def measure(rounds: int, before: Path | None) -> list[Row]:
    """Demos with nothing prepared, and again with what the first run left: graphs, keys, a remembered choice.

    Raises:
        Absent: a demo cannot be run.
    """
    trees = [ROOT, *([before] if before else [])]
    taken: dict[str, list[list[Seconds]]] = {"cold": [], "warm": []}
    for number in range(rounds):
        print(f"demo: {number + 1} of {rounds} rounds", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="cutgate-speed-") as folder:
            for runs in taken.values():
                runs.append([first_file(tree, Path(folder) / str(place)) for place, tree in enumerate(trees)])
    return [row("the first submit", 0, name, runs) for name, runs in taken.items()] + [
        row("the command", 1, name, runs) for name, runs in taken.items()
    ]


def row(start: str, place: int, name: str, runs: Sequence[Sequence[Seconds]]) -> Row:
    """One of the two times."""
    rounds = [[seconds[place] for seconds in each] for each in runs]
    return beside_before(f"{name}: from {start} to the first file", rounds, None, ".1f", " s")


def first_file(tree: Path, folder: Path) -> Seconds:
    """Run a tree's demo on one photo.

    Args:
        tree: the checkout.
        folder: for all that it keeps; weights are taken from where they are.
    """
    photos, out = folder / "photos", folder / "out"
    photos.mkdir(parents=True, exist_ok=True)
    shutil.copy(PORTRAIT, photos)
    environment = os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "200"}
    for prefix in PREFIXES:
        environment[f"{prefix}_MODELS_DIR"] = str(NetworkSettings().models_dir)
        environment[f"{prefix}_CACHE_DIR"] = str(folder / "graphs")
    command = [python_of(tree), "-c", PROGRAM, str(photos), str(out), str(folder / "data")]
    started = time.time()
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    job = FIRST_JOB.search(done.stdout)
    if done.returncode or job is None:
        raise Absent(f"the demo of {tree} cannot be run: {(done.stderr or done.stdout).strip()[-500:]}")
    return float(job[1]), (out / f"{PORTRAIT.stem}.cutout.png").stat().st_mtime - started

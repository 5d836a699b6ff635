"""Faults of ledger, upkeep and those who use them, each a text in place of another, for the simulator to find."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.hostile.planted import ROOT, Planted, plant
from tests.mutants.suite import LEFT_OUT

SCHEDULES: Final = 200
"""Within so many each is to be found: a minute's on a machine that is free."""
HEADINGS: Final = ("Fault", "Found", "Schedules", "Seconds")
FAULTS: Final = tuple(
    Planted(name, "simulator", 0, ((path, before, after),))
    for name, path, before, after in json.loads(Path(__file__).with_name("faults.json").read_text("utf-8"))
)
"""Name, file, a text of it, and what stands there instead."""


def rows(seed: int, only: str) -> Iterator[tuple[str, ...]]:
    """Plant each fault in a copy of the tree, and have it found: rows below `HEADINGS`."""
    for fault in FAULTS:
        if only not in fault.name:
            continue
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            tree = Path(folder) / "tree"
            shutil.copytree(ROOT, tree, symlinks=True, ignore=LEFT_OUT)
            plant(fault, tree)
            command = [sys.executable, "-m", "tests.simulator", "--schedules", str(SCHEDULES), "--seed", str(seed)]
            environment = os.environ | {"PYTHONPATH": str(tree)}
            done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        found = re.match(r"seed \d+ after (\d+) schedules, ([\d.]+) s: (.*)", done.stdout)
        if found is None:
            yield fault.name, "no", done.stdout[:40].strip(), done.stderr[-100:]
        else:
            yield fault.name, found[3][:90], found[1], found[2]

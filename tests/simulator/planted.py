"""Faults of ledger, upkeep and those who use them, each a text in place of another, for the simulator to find."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.hostile.planted import ROOT, Planted, plant
from tests.mutants.suite import LEFT_OUT

SECONDS: Final = 60.0
"""How long each may take to be found."""
HEADINGS: Final = ("Fault", "Found", "Seconds", "Seed", "Events")
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
            command = [sys.executable, "-m", "tests.simulator", "--seconds", str(SECONDS), "--seed", str(seed)]
            began = time.monotonic()
            environment = os.environ | {"PYTHONPATH": str(tree)}
            done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        found = re.match(r"seed (\d+) after \d+ schedules, ([\d.]+) s: (.*)\n\s*(\d+) events", done.stdout)
        if found is None:
            yield fault.name, "no", f"{time.monotonic() - began:.0f}", "", done.stderr[-100:]
        else:
            yield fault.name, found[3][:90], found[2], found[1], found[4]

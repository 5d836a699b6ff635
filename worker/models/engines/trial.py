"""One engine on one picture: what its run takes of the processors, and the map that comes of it.

A program of its own, so that what an engine takes or breaks ends with it:
`python -m cutgate.worker.models.engines.trial GRAPH ENGINE FLOATS THREADS ENOUGH_SECONDS FOLDER`.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.plans import Plan, open_engine
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.prepare import GraphVariant
from cutgate.worker.settings import Device, EngineName

_PICTURE: Final = "picture.npy"
_OUTCOME: Final = "outcome.npz"
LATE: Final = "not done in time"
"""What `TrialFailed` says where time was too short."""
_MODULE: Final = "cutgate.worker.models.engines.trial"


class TrialFailed(Exception):
    """The engine cannot run the graph, or not in time; the text says why, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one engine did."""

    seconds: float
    """Of processor time, all threads together, for a run: the cheaper of two, or the first alone. The clock would
    tell more of what else the machine does."""
    output: Floats
    """(height, width), the network's output as it is."""


def run_apart(graph: Path, plan: Plan, batch: Floats, folder: Path, limits: tuple[float, float]) -> Outcome:
    """Try a plan in a process of its own.

    Args:
        graph: the prepared graph.
        plan: engine, number type and threads.
        batch: (1, channels, height, width) float32, one prepared picture.
        folder: for the files between the two processes.
        limits: wall seconds that the process may take, and processor seconds of a first run past which there is no
            second.

    Raises:
        TrialFailed: it did not end well, or not in time.
        OSError: the folder cannot be written.
    """
    most_seconds, enough_seconds = limits
    if most_seconds <= 0:
        raise TrialFailed(LATE)
    np.save(folder / _PICTURE, batch)
    arguments = (graph, plan.engine, plan.floats, plan.threads, enough_seconds, folder)
    command = [sys.executable, "-P", "-m", _MODULE, *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=most_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TrialFailed(LATE) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise TrialFailed(said[-1] if said else f"its process ended with {done.returncode}")
    with np.load(folder / _OUTCOME) as kept:
        return Outcome(seconds=float(kept["seconds"]), output=kept["output"])


def main(graph: str, engine: str, floats: str, threads: str, enough_seconds: str, folder: str) -> None:
    """Run the graph on the picture of the folder, and leave the outcome there."""
    plan = Plan(
        engine=EngineName(engine),
        device=Device.CPU,
        variant=GraphVariant.SINGLE,
        dtype=floats,
        floats=floats,
        threads=int(threads),
    )
    try:
        network = open_engine(Path(graph), plan)
    except (ModelUnavailable, ImportError) as error:
        sys.exit(str(error).partition("\n")[0])
    batch = np.load(Path(folder, _PICTURE)).astype(network.input_type)
    seconds: list[float] = []
    while len(seconds) < 2 and not (seconds and seconds[0] > float(enough_seconds)):
        begin = time.process_time()
        output = network.run(batch)
        seconds.append(time.process_time() - begin)
    np.savez(Path(folder, _OUTCOME), seconds=min(seconds), output=output[0])


if __name__ == "__main__":
    main(*sys.argv[1:])

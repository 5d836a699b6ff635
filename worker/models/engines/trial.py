"""One engine on one picture: what its run takes of the processors, and the map that comes of it.

A program of its own, so that what an engine takes or breaks ends with it:
`python -m cutgate.worker.models.engines.trial GRAPH ENGINE FLOATS THREADS MOST_SECONDS FOLDER`.
"""

import io
import math
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cutgate.files import write_whole
from cutgate.worker.cutout.raster.arrays import Floats
from cutgate.worker.models.engines.plans import Plan, open_engine
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import GraphVariant
from cutgate.worker.settings import Device, EngineName

_PICTURE: Final = "picture.npy"
_OUTCOME: Final = "outcome.npz"
_RUNS: Final = 2
_HANGING_SECONDS: Final = 1800
"""After so long a process hangs. On a busy machine, one of the lowest priority needs minutes for a few seconds."""
_MODULE: Final = "cutgate.worker.models.engines.trial"


class TrialFailed(Exception):
    """The engine cannot run the graph, or not in time; the text says why, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one engine did."""

    seconds: float
    """Of processor time, all threads together, for a run: the cheaper of two, or the first where time ended the
    second. The clock would tell more of what else the machine does."""
    output: Floats
    """(height, width), the network's output as it is."""


def run_apart(graph: Path, plan: Plan, batch: Floats, folder: Path, most_seconds: float) -> Outcome:
    """Try a plan in a process of its own.

    Args:
        graph: the prepared graph.
        plan: engine, number type and threads.
        batch: (1, channels, height, width) float32, one prepared picture.
        folder: for the files between the two processes.
        most_seconds: processor time that the process may take, of all its threads; rounded up to whole seconds.

    Raises:
        TrialFailed: it did not end well, or there was no time for one run.
        OSError: the folder cannot be written.
    """
    (folder / _OUTCOME).unlink(missing_ok=True)
    np.save(folder / _PICTURE, batch)
    arguments = (graph, plan.engine, plan.floats, plan.threads, math.ceil(most_seconds), folder)
    command = [sys.executable, "-P", "-m", _MODULE, *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_HANGING_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TrialFailed("its process hangs") from None
    is_late = done.returncode == -signal.SIGXCPU
    if is_late and not (folder / _OUTCOME).exists():
        raise TrialFailed(f"more than {math.ceil(most_seconds)} s of processor time")
    if done.returncode != 0 and not is_late:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise TrialFailed(said[-1] if said else f"its process ended with {done.returncode}")
    with np.load(folder / _OUTCOME) as kept:
        return Outcome(seconds=float(kept["seconds"]), output=kept["output"])


def main(graph: str, engine: str, floats: str, threads: str, most_seconds: str, folder: str) -> None:
    """Run the graph on the picture of the folder, and leave the outcome there."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(most_seconds), resource.RLIM_INFINITY))
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
    least_seconds = math.inf
    for _ in range(_RUNS):
        begin = time.process_time()
        output = network.run(batch)
        least_seconds = min(least_seconds, time.process_time() - begin)
        content = io.BytesIO()
        np.savez(content, seconds=least_seconds, output=output[0])
        write_whole(Path(folder, _OUTCOME), content.getvalue())


if __name__ == "__main__":
    main(*sys.argv[1:])

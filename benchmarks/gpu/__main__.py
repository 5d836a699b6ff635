"""Pictures a second by engine and number of processors, and from how many on the network is the limit.

    python -m benchmarks.gpu [--device cpu] [--megapixels N] [--pictures N] [--write PAGE]

Whole jobs, from an encoded photo to a PNG with refinement `auto`, one more at once than there are processors, as a
worker on a GPU does them. `--device cpu` measures the engines for processors. Without any the exit status is 2.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import Absent
from benchmarks.gpu.paces import Pace, apart
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, table, write_part
from cutgate.worker.models.engines.plans import ENGINES
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import Device, EngineName, NetworkSettings

PART: Final = "gpu"
PROCESSORS: Final = (1, 2, 4, 8, 16)
SHARE: Final = 0.9
"""Of the network's own pace: a queue as fast as that waits for the network."""
NAMES: Final = {EngineName.CUDA_GRAPH: "CUDA graph", EngineName.TENSORRT: "TensorRT fp16"}

Paces = dict[int, Pace]
"""Of one engine, by processors."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=[str(device) for device in Device], default=str(Device.GPU))
    parser.add_argument("--megapixels", type=float, default=1, help="of the photo")
    parser.add_argument("--pictures", type=int, default=64, help="jobs of each figure")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the table into this page, too")
    return parser.parse_args(arguments)


def measured(options: argparse.Namespace, counts: Sequence[int]) -> tuple[dict[str, Paces], list[str]]:
    """The device's engines with their paces, and why others cannot be run; raises Absent where none can."""
    found, lacking, device = dict[str, Paces](), list[str](), Device(options.device)
    for engine in (engine for engine, row in ENGINES.items() if device in row.devices):
        name = NAMES.get(engine, "CUDA") if device is Device.GPU else str(engine)
        print(name, file=sys.stderr, flush=True)
        settings = NetworkSettings().model_copy(update={"device": device, "engine": engine})
        try:
            found[name] = {count: apart(settings, count, options.megapixels, options.pictures) for count in counts}
        except ModelUnavailable as reason:
            lacking.append(f"{name} cannot be run: {str(reason).splitlines()[0]}")
    if not found:
        raise Absent("\n".join([*lacking, "Without a GPU, --device cpu measures the engines for processors."]))
    return found, lacking


def as_text(found: Mapping[str, Paces], lacking: Sequence[str], counts: Sequence[int]) -> str:
    """The table, what is missing in it, and from how many processors on the network limits each engine."""
    heads = ("Pictures a second", *(f"{count} CPU{'s' * (count > 1)}" for count in counts), "network alone")
    figures = {name: [*(pace.jobs for pace in paces.values()), alone(paces)] for name, paces in found.items()}
    rows = [(name, *(f"{figure:.2f}" for figure in row)) for name, row in figures.items()]
    limits = ", ".join(f"{limit(paces)} ({name})" for name, paces in found.items())
    return "\n\n".join([table(heads, rows), *lacking, f"Processors until the network is the limit: {limits}."])


def alone(paces: Paces) -> float:
    """The network's own pace; too few processors may slow it down."""
    return max(pace.network for pace in paces.values())


def limit(paces: Paces) -> str:
    """The least number of processors with which jobs reach `SHARE` of the network's own pace."""
    enough = [count for count, pace in paces.items() if pace.jobs >= SHARE * alone(paces)]
    return str(min(enough)) if enough else f"more than {max(paces)}"


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    counts = [count for count in PROCESSORS if count <= len(os.sched_getaffinity(0))]
    try:
        if options.write:
            require_parts(options.write, [PART])
        text = as_text(*measured(options, counts), counts)
    except Absent as missing:
        print(missing, file=sys.stderr)
        return 2
    if options.write:
        write_part(options.write, PART, f"{conditions(this_command('benchmarks.gpu'))}\n\n{text}")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

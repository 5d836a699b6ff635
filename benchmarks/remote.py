"""What a network on an inference server costs a picture beyond the same network in the worker, over the loopback.

    python -m benchmarks.remote [--pairs N]

Pictures of 1 megapixel, local and remote in turn, both on ONNX Runtime in single precision: by the default
network, and by one of a single 1x1 convolution, whose own time hides nothing. The server copies no tensor.
The exit status is 1 if a mask differs, or if the second network's median difference misses the goal.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import numpy as np
import onnx
from PIL import Image

from benchmarks.machine import conditions, this_command
from benchmarks.pages import table
from benchmarks.photos import EXAMPLES
from cutgate.worker.commands.export import export_model
from cutgate.worker.cutout.raster.arrays import RgbImage
from cutgate.worker.machine.container import cpu_quota
from cutgate.worker.models.engines.processing import resize
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures.tiny_network import tiny_network
from tests.servers.inference import inference_server

GOAL_MS: Final = 10
SIZE_PX: Final = (866, 1155)
SIDE_PX: Final = 1024
HEADS: Final = ("Network", "local ms", "remote ms", "difference, median ms", "quartiles")


def stand_in(models_dir: Path) -> str:
    """Put a network of the default one's form, but of no cost, into a models folder."""
    onnx.save(tiny_network(side_px=SIDE_PX, sigmoid=False), models_dir / "convolution.onnx")
    facts = {"input_px": [SIDE_PX] * 2, "output": "range", "mean": [0.5] * 3, "std": [1] * 3}
    row = json.dumps({**facts, "licence": "Apache-2.0", "origin": "made by the benchmark"})
    (models_dir / "convolution.json").write_text(row, encoding="utf-8")
    return "convolution"


def pictures() -> list[RgbImage]:
    images = [np.asarray(Image.open(file).convert("RGB")) for file in sorted(EXAMPLES.glob("*.jpg"))]
    return [resize(image, *SIZE_PX) for image in images]


def milliseconds(segmenter: Segmenter, image: RgbImage) -> float:
    began = time.perf_counter()
    segmenter(image)
    return (time.perf_counter() - began) * 1000


def measured(settings: NetworkSettings, pairs: int) -> tuple[list[tuple[float, float]], int]:
    """(local, remote) milliseconds of each pair, and how many photos' masks differ."""
    with tempfile.TemporaryDirectory() as folder:
        export_model(settings, Path(folder), str, batch=1)
        with inference_server(Path(folder), "--bare") as server:
            there = settings.model_copy(update={"engine": EngineName.REMOTE, "inference_url": server.url})
            local, remote, images = load_segmenter(settings), load_segmenter(there), pictures()
            different = sum(not np.array_equal(local(image), remote(image)) for image in images)
            of_pairs = (images[index % len(images)] for index in range(pairs))
            return [(milliseconds(local, image), milliseconds(remote, image)) for image in of_pairs], different


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60, help="of each network, 2 at least")
    options = parser.parse_args(arguments)
    os.environ.setdefault("CUTGATE_THREADS", str(cpu_quota()))  # the server's, too
    own = NetworkSettings().model_copy(update={"engine": EngineName.ONNXRUNTIME})
    rows, is_good = [], True
    with tempfile.TemporaryDirectory() as folder:
        cheap = own.model_copy(update={"models_dir": Path(folder), "model": stand_in(Path(folder))})
        for settings in (own, cheap):
            times, different = measured(settings, options.pairs)
            differences = [remote - local for local, remote in times]
            low, middle, high = quantiles(differences, n=4)
            figures = [*map(median, zip(*times, strict=True)), middle]
            rows.append((settings.model, *(f"{figure:.1f}" for figure in figures), f"{low:.1f} to {high:.1f}"))
            print(f"{settings.model}: {different} masks differ", file=sys.stderr)
            is_good &= different == 0
    print(conditions(this_command("benchmarks.remote")), table(HEADS, rows), sep="\n\n")
    return 0 if is_good and middle <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())

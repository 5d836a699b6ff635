"""What a whole job costs in the worker, from encoded photo to encoded PNG, over the network's run alone.

    python benchmarks/overhead.py [--rounds N]

Both run in turn in one process with one session, so that their ratio holds on a machine that is busy. Times are
medians; the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import cv2
import numpy as np

from jobs.spec import CutoutSpec, Output, Refinement
from worker.images import ImageLimits, encode_png, read_image
from worker.models.runtime import NetworkRun, Segmenter, load_segmenter
from worker.runner import cut_out
from worker.settings import NetworkSettings

PHOTO: Final = Path(__file__).parent.parent / "examples" / "astronaut.jpg"
MEGAPIXELS: Final = (1, 4, 12)
LIMITS: Final = ImageLimits(max_bytes=2**30, max_pixels=10**9, max_side_px=10**6)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of job at one size."""

    megapixels: int
    name: str
    job_seconds: float
    network_seconds: float
    ratio: float


def photo(megapixels: float) -> bytes:
    """A JPEG of about so many pixels; grain stands for the detail that enlarging does not bring."""
    small = cv2.imread(str(PHOTO))
    assert small is not None
    scale = (megapixels * 1e6 / (small.shape[0] * small.shape[1])) ** 0.5
    large = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(0).normal(0, 4, large.shape)
    done, data = cv2.imencode(
        ".jpg", np.clip(large + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92]
    )
    assert done
    return data.tobytes()


def job(data: bytes, spec: CutoutSpec, segmenter: Segmenter) -> None:
    pixels, icc_profile, _ = cut_out(read_image(data, LIMITS), spec, segmenter, lambda: None)
    encode_png(pixels, icc_profile)


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(megapixels: int, name: str, spec: CutoutSpec, segmenter: Segmenter, rounds: int) -> Row:
    network = segmenter.predict
    assert isinstance(network, NetworkRun), "this model runs through rembg; choose another with KEYCUT_MODEL"
    data = photo(megapixels)
    job(data, spec, segmenter)
    pairs = [(seconds(lambda: job(data, spec, segmenter)), seconds(network.run_session)) for _ in range(rounds)]
    return Row(
        megapixels,
        name,
        median(whole for whole, _ in pairs),
        median(alone for _, alone in pairs),
        median(whole / alone for whole, alone in pairs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    settings = NetworkSettings()
    segmenter = load_segmenter(settings)
    kinds = {
        "cut-out, auto": CutoutSpec(model=settings.model),
        "cut-out, off": CutoutSpec(model=settings.model, refinement=Refinement.OFF),
        "mask, auto": CutoutSpec(model=settings.model, output=Output.MASK),
    }
    print(f"{platform.machine()}, {os.cpu_count()} processors, {segmenter.engine}, {segmenter.provider}, ", end="")
    print(f"{segmenter.threads} threads, median of {rounds} rounds\n")
    print(f"{'MP':>4}  {'job':14} {'whole job s':>12} {'network s':>10} {'ratio':>6}")
    for megapixels in MEGAPIXELS:
        for name, spec in kinds.items():
            row = measure(megapixels, name, spec, segmenter, rounds)
            print(f"{row.megapixels:>4}  {row.name:14} {row.job_seconds:>12.3f} ", end="")
            print(f"{row.network_seconds:>10.3f} {row.ratio:>6.2f}", flush=True)


if __name__ == "__main__":
    main()

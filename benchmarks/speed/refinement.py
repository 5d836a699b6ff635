"""What refinement and colours cost by themselves: each step's processor time on one thread."""

import math
import time
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from benchmarks.bounds import at_most
from benchmarks.photos import LIMITS, photo
from benchmarks.speed.rows import Row, figure
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.pipeline import Frame, Step, step_name, steps_for
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

GOALS: Final = {0.8: at_most(0.10), 12.0: at_most(0.40)}
"""CPU seconds by megapixels."""

READING_AND_WRITING: Final = {"select_region", "find_subject", "give_mask", "give_cutout", "restore_size"}
"""Steps that every job has, with or without refinement."""

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The environment to measure in; numerical libraries read it when they are loaded."""


class Replayed:
    """A network whose answers are kept on the first pass and given again, in the same order, on the next."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._kept: list[ByteMask] = []
        self._next = 0

    def __call__(self, image: RgbImage) -> ByteMask:
        """As the network's own."""
        if self._next == len(self._kept):
            self._kept.append(self._predict(image))
        self._next += 1
        return self._kept[self._next - 1].copy()

    def rewind(self) -> None:
        """Begin again with the first answer."""
        self._next = 0


def measure(rounds: int) -> list[Row]:
    """CPU seconds at each size, in all and step by step; the least of the rounds."""
    cv2.setNumThreads(1)
    settings = NetworkSettings(threads=1)
    network = load_segmenter(settings)
    rows = []
    for megapixels, bound in GOALS.items():
        predict = Replayed(network)
        steps = steps_for(CutoutSpec(model=settings.model), predict, network.reading)
        frame = Frame(picture=np.asarray(read_image(photo(megapixels), LIMITS).rgb))
        costs = least_costs(steps, frame, predict.rewind, rounds)
        own = {name: cost for name, cost in costs.items() if name not in READING_AND_WRITING}
        rows.append(figure(f"{megapixels:g} MP", sum(own.values()), bound, ".3f", " s"))
        rows += [figure(f"{megapixels:g} MP, of it {name}", cost, None, ".3f", " s") for name, cost in own.items()]
    return rows


def least_costs(
    steps: tuple[Step, ...], frame: Frame, rewind: Callable[[], None], rounds: int
) -> dict[str, float]:
    """Each step's least CPU seconds over some rounds, after one that is not measured."""
    least = [math.inf] * len(steps)
    for number in range(rounds + 1):
        rewind()
        reached = frame
        for index, step in enumerate(steps):
            started = time.process_time()
            reached = step(reached)
            if number:
                least[index] = min(least[index], time.process_time() - started)
    costs: dict[str, float] = {}
    for step, seconds in zip(steps, least, strict=True):
        costs[step_name(step)] = costs.get(step_name(step), 0) + seconds
    return costs

"""The program that scores results against photos whose alpha is known, on every processor."""

import hashlib
import importlib.util
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks import Absent
from benchmarks.quality.pairs import Pair, PairSet
from cutgate.worker.cutout.raster.arrays import ByteMask

FEW: Final = 100
"""Up to so many photos are scored in this process: others would take longer to start."""


class Evaluator:
    """The program that scores a folder of results against a set of pairs."""

    def __init__(self, file: Path) -> None:
        """Raise `Absent` where the program is not there."""
        if not file.is_file():
            raise Absent(f"no evaluator: {file} is not there; say where it is with --evaluator")
        self.file = file

    @cached_property
    def digest(self) -> str:
        """Of the program: scores by another one are not taken for this one's."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:8]

    def gradient_error(self, alpha: ByteMask, truth: ByteMask) -> float:
        """`Grad` alone."""
        return float(_program(self.file).gradient_error(alpha / 255, truth / 255))

    def __call__(self, pairs: PairSet, results: Path) -> list[dict[str, Any]]:
        """One row for each pair: its name, category, subject and group, and every measure by name."""
        missing = sorted(pair.name for pair in pairs.pairs if not (results / f"{pair.name}.png").is_file())
        if missing:
            raise Absent(f"{results} has no result for {', '.join(missing)}")
        row = partial(_row, self.file, results)
        if len(pairs.pairs) <= FEW:
            return [row(pair) for pair in pairs.pairs]
        # A forked process would inherit the threads' locks of the network's library.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), context, cv2.setNumThreads, (1,)) as pool:
            return list(pool.map(row, pairs.pairs, chunksize=8))


@cache
def _program(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location("evaluate", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _row(file: Path, results: Path, pair: Pair) -> dict[str, Any]:
    program = _program(file)
    photo, foreground = (cv2.imread(str(path)) for path in (pair.photo, pair.foreground))
    truth = cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE)
    colours, alpha = program.load_result(str(results / f"{pair.name}.png"), photo)
    measures = {
        name: float(value) for name, value in program.score(colours, alpha, photo, truth, foreground).items()
    }
    marks = {"name": pair.name, "category": pair.category, "subject": pair.subject, "group": pair.group}
    return marks | measures

"""Score cut-outs against photos whose alpha is known, and hold the means to floors.

    python benchmarks/quality.py [--pairs DIR ...] [--evaluator FILE] [--out DIR] [--service URL]

Without `--service` the worker's pipeline runs in this process.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

SHARED: Final = Path("../shared")
MEASURES: Final = ("SAD", "Grad", "fgerr")

FLOORS: Final = {
    "all": (36.0, 18.0, 36.0),
    "portrait/hair": (18.0, 8.0, 31.0),
    "animal/fur": (23.0, 10.0, 26.0),
    "thin structure": (28.0, 45.0, 32.0),
    "product/hard edge": (50.0, 36.0, 52.0),
    "transparent": (135.0, 12.0, 60.0),
}
"""The worst means that pass, by group and in the order of MEASURES; lower is better."""

CutOut = Callable[[Path, Path], None]
"""Cuts out the photo at the first path into a PNG at the second."""


class Absent(Exception):
    """Something that the benchmark needs is not there."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo whose alpha is known."""

    name: str
    photo: Path


def pairs_in(folders: list[Path]) -> Iterator[Pair]:
    for folder in folders:
        manifest = folder / "manifest.json"
        if not manifest.is_file():
            raise Absent(f"no pairs: {manifest} is not there; say where they are with --pairs")
        for entry in json.loads(manifest.read_text())["pairs"]:
            yield Pair(entry["name"], folder / entry["image"])


def load_evaluator(path: Path) -> Any:
    """The module that scores results."""
    if not path.is_file():
        raise Absent(f"no evaluator: {path} is not there; say where it is with --evaluator")
    spec = importlib.util.spec_from_file_location("evaluate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_process() -> CutOut:
    """The worker's pipeline with the worker's network and the protocol's defaults."""
    from jobs.spec import CutoutSpec
    from worker.cutout.pipeline import Frame, run_steps, steps_for
    from worker.models.runtime import load_segmenter
    from worker.settings import NetworkSettings

    settings = NetworkSettings()
    steps = steps_for(CutoutSpec(model=settings.model), load_segmenter(settings))

    def cut_out(photo: Path, result: Path) -> None:
        bgr = cv2.imread(str(photo), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        rgba = run_steps(steps, Frame(picture=np.ascontiguousarray(bgr[..., ::-1])), lambda: None).result
        cv2.imwrite(str(result), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))

    return cut_out


def by_service(url: str) -> CutOut:
    """A running service, by the protocol's defaults."""
    from keycut import Client

    try:
        client = Client(url, os.environ["KEYCUT_PUBLIC_KEY"], os.environ["KEYCUT_PRIVATE_KEY"])
    except KeyError as missing:
        raise Absent(f"no key pair: {missing.args[0]} is not set") from None

    def cut_out(photo: Path, result: Path) -> None:
        job = client.remove_background(photo)
        job.wait()
        job.save(result)

    return cut_out


def measure(pairs: list[Pair], cut_out: CutOut, results: Path) -> float:
    """Cut every photo out into `results`; seconds for each, on average."""
    started = time.perf_counter()
    for number, pair in enumerate(pairs, 1):
        print(f"\r{number}/{len(pairs)} {pair.name:30}", end="", file=sys.stderr, flush=True)
        cut_out(pair.photo, results / f"{pair.name}.png")
    print(file=sys.stderr)
    return (time.perf_counter() - started) / len(pairs)


def report(summary: dict[str, dict[str, float]]) -> bool:
    """Print each group's means and floors; whether all that have floors pass."""
    heads = "".join(f"{measure:>9}{'floor':>8}" for measure in MEASURES)
    print(f"{'group':20}{'photos':>7}{heads}{'IoU':>9}  verdict")
    passed = True
    for group, means in summary.items():
        floors = FLOORS.get(group)
        row = f"{group:20}{means['n']:>7.0f}"
        for index, measure in enumerate(MEASURES):
            row += f"{means[measure]:>9.2f}" + (f"{floors[index]:>8.1f}" if floors else f"{'':8}")
        holds = floors is None or all(means[m] <= floor for m, floor in zip(MEASURES, floors, strict=True))
        verdict = ("pass" if holds else "FAIL") if floors else ""
        print(f"{row}{means['IoU']:>9.4f}  {verdict}")
        passed = passed and holds
    return passed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Score cut-outs against photos whose alpha is known.")
    parser.add_argument("--pairs", nargs="+", type=Path, default=[SHARED / "data" / "eval"])
    parser.add_argument("--evaluator", type=Path, default=SHARED / "tools" / "evaluate.py")
    parser.add_argument("--out", type=Path, help="keep the cut-outs here")
    parser.add_argument("--service", metavar="URL", help="measure a running service")
    options = parser.parse_args(arguments)
    try:
        evaluator, pairs = load_evaluator(options.evaluator), list(pairs_in(options.pairs))
        cut_out = by_service(options.service) if options.service else in_process()
    except Absent as absent:
        print(absent, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        results: Path = options.out or Path(scratch)
        results.mkdir(parents=True, exist_ok=True)
        seconds = measure(pairs, cut_out, results)
        summary = evaluator.evaluate([str(folder) for folder in options.pairs], str(results))["summary"]
    passed = report(summary)
    print(f"{seconds:.2f} s for each photo, with reading and writing")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())

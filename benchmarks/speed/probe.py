"""What a job costs beside its network, in the tree that this runs in: the processor time of each step.

    PYTHONPATH=TREE TREE/.venv/bin/python -P probe.py MODELS_DIR CACHE_DIR

Each line of the input is a request, `{"photo": FILE, "refinement": "auto"}`; each line of the output its answer:
CPU seconds by step. The network runs for the first request of a photo; later ones get its answers again.

`overhead` starts this in its own tree and in an earlier one. So it imports nothing but what both have, by the
names that they have.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import cv2

LIMITS: Final = {"max_bytes": 2**30, "max_pixels": 10**9, "max_side_px": 10**6}


class Replayed:
    """An engine whose answers to a photo are kept the first time, and given again in the same order afterwards."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._kept: dict[str, list[Any]] = {}
        self.begin("")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def begin(self, photo: str) -> None:
        """Make the answers ready that a photo had: a reader may write over them."""
        self._of_photo = self._kept.setdefault(photo, [])
        self._ready = [answer.copy() for answer in self._of_photo]

    def run(self, batch: Any) -> Any:
        """As the engine's own."""
        if self._ready:
            return self._ready.pop(0)
        answer = self._engine.run(batch)
        self._of_photo.append(answer.copy())
        return answer


class Probe:
    """A tree's parts, and its default network."""

    def __init__(self, models_dir: str, cache_dir: str) -> None:
        # The second name of each is that of commit 8637358.
        self._images = _found("cutgate.worker.pictures.images", "worker.images")
        self._cutting = _found("cutgate.worker.cut_out", "worker.runner")
        self._finish = _found("cutgate.worker.pictures.finish", "worker.finish")
        runtime = _found("cutgate.worker.models.engines.runtime", "worker.models.runtime")
        opened, engines = runtime.open_engine, []

        def replayed(*arguments: Any) -> Replayed:
            engines.append(Replayed(opened(*arguments)))
            return engines[-1]

        runtime.open_engine = replayed
        settings = runtime.NetworkSettings(models_dir=models_dir, cache_dir=cache_dir)
        self._network = runtime.load_segmenter(settings)
        self._engine = engines[-1]
        self._limits = self._images.SourceLimits(**LIMITS)

    def costs(self, photo: str, refinement: str) -> dict[str, float]:
        """CPU seconds of decoding, of each step by name, and of encoding."""
        data = Path(photo).read_bytes()
        self._engine.begin(photo)
        costs: dict[str, float] = {}
        last = time.process_time()

        def ended(step: str) -> None:
            nonlocal last
            now = time.process_time()
            costs[step] = costs.get(step, 0) + now - last
            last = now

        source = self._images.read_image(data, self._limits)
        ended("decode")
        spec = self._cutting.CutoutSpec(model=self._network.model, refinement=refinement)
        picture = self._cutting.cut_out(source, spec, self._network.predict, lambda: None, ended)
        self._finish.finish(picture, self._finish.Finish.of(spec))
        ended("encode")
        return costs


def _found(*names: str) -> Any:
    """The first of some modules that this tree has."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(f"none of {', '.join(names)}")


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # where libraries print is no place for answers
    cv2.setNumThreads(1)
    probe = Probe(*sys.argv[1:])
    for request in sys.stdin:
        answers.write(json.dumps(probe.costs(**json.loads(request))) + "\n")


if __name__ == "__main__":
    main()

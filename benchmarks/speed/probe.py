"""What jobs cost beside their network, in the tree that this runs in: the processor time of each step.

    python -m benchmarks.speed.probe MODELS_DIR CACHE_DIR PHOTO ...

It prints CPU seconds by photo, refinement and step. A first job of each runs the network and is not counted; the
second gets its answers again.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import cv2

from benchmarks.job import cut, holder_of_run
from benchmarks.photos import LIMITS
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

REFINEMENTS: Final = (Refinement.AUTO, Refinement.OFF)


class Replayed:
    """A network's run whose answers to a photo are kept the first time, and given again in the same order."""

    def __init__(self, network: NetworkRun) -> None:
        holder, name = holder_of_run(network)
        self._run = getattr(holder, name)
        setattr(holder, name, self.run)
        self._of_photo: list[Any] = []
        self._ready: list[Any] = []

    def begin(self, *, anew: bool) -> None:
        """Make the answers ready that the photo had: a reader may write over them."""
        if anew:
            self._of_photo = []
        self._ready = [answer.copy() for answer in self._of_photo]

    def run(self, batch: Any) -> Any:
        """As the network's own."""
        if self._ready:
            return self._ready.pop(0)
        answer = self._run(batch)
        self._of_photo.append(answer.copy())
        return answer


def costs(data: bytes, spec: CutoutSpec, segmenter: Segmenter) -> dict[str, float]:
    """CPU seconds of decoding, of each step by name, and of encoding."""
    taken: dict[str, float] = {}
    last = time.process_time()

    def ended(step: str) -> None:
        nonlocal last
        now = time.process_time()
        taken[step] = taken.get(step, 0) + now - last
        last = now

    source = read_image(data, LIMITS)
    ended("decode")
    picture = cut(source, spec, segmenter, ended)
    finish(picture, Finish.of(spec))
    ended("encode")
    return taken


def main(models_dir: str, cache_dir: str, *photos: str) -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # where libraries print is no place for answers
    cv2.setNumThreads(1)
    segmenter = load_segmenter(NetworkSettings(models_dir=Path(models_dir), cache_dir=Path(cache_dir)))
    network = segmenter.predict
    assert isinstance(network, NetworkRun)
    replayed = Replayed(network)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for photo in photos:
        data, found[photo] = Path(photo).read_bytes(), {}
        for refinement in REFINEMENTS:
            spec = CutoutSpec(model=segmenter.model, refinement=refinement)
            for anew in (True, False):
                replayed.begin(anew=anew)
                found[photo][refinement] = costs(data, spec, segmenter)
    json.dump(found, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])

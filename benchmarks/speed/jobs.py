"""Whole jobs in one process, beside the network alone and beside rembg."""

import sys
from collections.abc import Callable, Collection
from typing import Final

from benchmarks.job import do_job, network_alone
from benchmarks.photos import photo
from benchmarks.rembg_peer import Rembg, isnet_weights
from benchmarks.speed.engines import JOB_AUTO, JOB_OFF, OVER_MATTING, OVER_PLAIN, Choice, load
from benchmarks.speed.rows import Row, ratio
from benchmarks.speed.timing import in_turn
from cutgate.jobs.spec import CutoutSpec, Precision, Refinement
from cutgate.worker.models.engines.runtime import Segmenter
from cutgate.worker.settings import NetworkSettings

JOB, REMBG, MATTING = "job", "rembg", "matting"
"""Sections: over the network alone; beside rembg; beside rembg with matting."""

MEGAPIXELS: Final = (1, 4, 12)
MATTING_MEGAPIXELS: Final = (1, 4)
NETWORK, OFF, AUTO, ON = "network", "off", "auto", "on"
REMBG_PLAIN, REMBG_MATTING = "rembg", "rembg matting"


def measure(choice: Choice, sections: Collection[str], rounds: int) -> dict[str, list[Row]]:
    """The rows of each section for one engine and precision.

    Matting takes so long that half the rounds must do.

    Raises:
        Absent, ModelUnavailable: as `engines.load`.
    """
    bench = _Bench(choice, load(choice))
    rows: dict[str, list[Row]] = {section: [] for section in sections}
    for megapixels in MEGAPIXELS:
        print(f"{choice.name}, {megapixels} megapixels", file=sys.stderr, flush=True)
        for section, section_rows in bench.plain(megapixels, sections, rounds).items():
            rows[section] += section_rows
        if MATTING in sections and megapixels in MATTING_MEGAPIXELS:
            rows[MATTING].append(bench.matting(megapixels, (rounds + 1) // 2))
    return rows


class _Bench:
    """One loaded network, and rembg beside it."""

    def __init__(self, choice: Choice, segmenter: Segmenter) -> None:
        self.choice = choice
        self.segmenter = segmenter
        self.rembg: Rembg | None = None

    def plain(self, megapixels: int, sections: Collection[str], rounds: int) -> dict[str, list[Row]]:
        """Rows of the sections without matting, from the same rounds."""
        exact = self.choice.precision is Precision.EXACT
        calls = {OFF: self._job(megapixels, Refinement.OFF)}
        if JOB in sections and exact:
            calls[NETWORK] = network_alone(self.segmenter, photo(megapixels))
            calls[AUTO] = self._job(megapixels, Refinement.AUTO)
        if REMBG in sections:
            calls[REMBG_PLAIN] = self._peer(megapixels, matting=False)
        if len(calls) == 1:
            return {}
        timings = in_turn(calls, rounds)
        name = self._name(megapixels)
        rows: dict[str, list[Row]] = {}
        if NETWORK in calls:
            rows[JOB] = [
                ratio(f"{name}: HairOptimization off", timings, OFF, NETWORK, JOB_OFF[megapixels]),
                ratio(f"{name}: HairOptimization auto", timings, AUTO, NETWORK, JOB_AUTO[megapixels]),
            ]
        if REMBG_PLAIN in calls:
            rows[REMBG] = [ratio(name, timings, REMBG_PLAIN, OFF, OVER_PLAIN[self.choice][megapixels])]
        return rows

    def matting(self, megapixels: int, rounds: int) -> Row:
        """The time of rembg with matting over ours with refinement."""
        calls = {
            ON: self._job(megapixels, Refinement.ON),
            REMBG_MATTING: self._peer(megapixels, matting=True),
        }
        bound = OVER_MATTING[self.choice][megapixels]
        return ratio(self._name(megapixels), in_turn(calls, rounds), REMBG_MATTING, ON, bound)

    def _name(self, megapixels: int) -> str:
        return f"{self.choice.name} ({self.segmenter.dtype}), {megapixels} MP"

    def _job(self, megapixels: int, refinement: Refinement) -> Callable[[], object]:
        spec = CutoutSpec(model=self.segmenter.model, refinement=refinement)
        return lambda: do_job(photo(megapixels), spec, self.segmenter)

    def _peer(self, megapixels: int, *, matting: bool) -> Callable[[], object]:
        if self.rembg is None:
            self.rembg = Rembg(isnet_weights().path, NetworkSettings().thread_count())
        remove = self.rembg
        return lambda: remove(photo(megapixels), matting=matting)

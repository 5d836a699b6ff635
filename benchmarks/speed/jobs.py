"""Whole jobs in one process, beside the network alone and beside rembg."""

import sys
from collections.abc import Callable, Collection, Sequence

from benchmarks.job import do_job, network_alone
from benchmarks.photos import Photo, photo
from benchmarks.rembg_peer import Rembg, isnet_weights
from benchmarks.speed.engines import JOB_AUTO, JOB_OFF, OVER_MATTING, OVER_PLAIN, Choice, load
from benchmarks.speed.rows import Row, ratio
from benchmarks.speed.timing import in_turn
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.models.engines.runtime import Segmenter
from cutgate.worker.settings import NetworkSettings

JOB, REMBG, MATTING = "job", "rembg", "matting"
"""Sections: over the network alone; beside rembg; beside rembg with matting."""

NETWORK, OURS, PEER = "network", "Cutgate", "rembg"


def measure(
    choice: Choice, sections: Collection[str], photos: Sequence[Photo], rounds: int
) -> dict[str, list[Row]]:
    """The rows of each section for one engine and precision.

    Matting takes so long that half the rounds must do.
    """
    print(choice.name, file=sys.stderr, flush=True)
    bench = _Bench(choice, load(choice))
    rows: dict[str, list[Row]] = {}
    if JOB in sections:
        rows[JOB] = [row for each in photos for row in bench.over_network(each, rounds)]
    if REMBG in sections:
        rows[REMBG] = [bench.beside_rembg(size, rounds, matting=False) for size in OVER_PLAIN[choice]]
    if MATTING in sections:
        rows[MATTING] = [
            bench.beside_rembg(size, (rounds + 1) // 2, matting=True) for size in OVER_MATTING[choice]
        ]
    return rows


class _Bench:
    """One loaded network, and rembg beside it."""

    def __init__(self, choice: Choice, segmenter: Segmenter) -> None:
        self.choice = choice
        self.segmenter = segmenter
        self.name = f"{choice.name} ({segmenter.dtype})"
        self.rembg: Rembg | None = None

    def over_network(self, taken: Photo, rounds: int) -> list[Row]:
        """The time of a whole job over that of the network alone, without and with refinement."""
        goals = {Refinement.OFF: JOB_OFF[self.choice], Refinement.AUTO: JOB_AUTO[self.choice]}
        calls = {str(refinement): self._job(taken.data, refinement) for refinement in goals}
        timings = in_turn({NETWORK: network_alone(self.segmenter, taken.data), **calls}, rounds)
        return [
            ratio(
                f"{self.name}, {taken.name}: HairOptimization {refinement}",
                timings,
                str(refinement),
                NETWORK,
                by_size.get(taken.megapixels),
            )
            for refinement, by_size in goals.items()
        ]

    def beside_rembg(self, megapixels: float, rounds: int, *, matting: bool) -> Row:
        """The time of rembg over ours, both with or both without refinement."""
        data = photo(megapixels)
        peer = self._peer()
        calls = {
            OURS: self._job(data, Refinement.ON if matting else Refinement.OFF),
            PEER: lambda: peer(data, matting=matting),
        }
        bound = (OVER_MATTING if matting else OVER_PLAIN)[self.choice][megapixels]
        return ratio(f"{self.name}, {megapixels} MP", in_turn(calls, rounds), PEER, OURS, bound)

    def _job(self, data: bytes, refinement: Refinement) -> Callable[[], object]:
        spec = CutoutSpec(model=self.segmenter.model, refinement=refinement)
        return lambda: do_job(data, spec, self.segmenter)

    def _peer(self) -> Rembg:
        if self.rembg is None:
            self.rembg = Rembg(isnet_weights().path, NetworkSettings().thread_count())
        return self.rembg

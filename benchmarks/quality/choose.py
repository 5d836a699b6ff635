"""Choose a rule's constant on some folds of the composites, and report it on the others.

    python -m benchmarks.quality.choose NAME [--candidates X ...] [--group GROUP ...] [--measure SAD|Grad]
        [--every N] [--out DIR] [--pairs DIR ...]

The candidate with the least error (geometric mean of the ratio to the value in use) on all folds but one is held
to that one. Where every fold leads to the same candidate, and it is better on what it has not seen, the constant
may be changed; where the folds disagree it carries no information and stays. The exit status is 1 where it stays.
Constants of a Box are chosen on groups of subjects, with a Box around each.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import Absent
from benchmarks.job import cut
from benchmarks.pages import table
from benchmarks.photos import LIMITS
from benchmarks.quality.boxes import ONE, asked, boxes_of
from benchmarks.quality.evaluator import Evaluator
from benchmarks.quality.folds.cases import CASES, SEVERAL
from benchmarks.quality.folds.composites import composites_in
from benchmarks.quality.folds.groups import groups_in
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.methods import MAPS
from benchmarks.quality.pairs import NO_CASE, SHARED, SHARED_SETS, Pair, read_pairs
from benchmarks.quality.scores import LEAST, Estimate, Scores, bootstrap, geometric_mean_ratio
from cutgate.jobs.spec import CutoutSpec, Output
from cutgate.worker.cutout.mask import in_box
from cutgate.worker.cutout.matting import colour_line, matte, zones
from cutgate.worker.cutout.raster.arrays import ByteMask
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

SAD, GRAD = "SAD", "Grad"
LEAST_GAIN: Final = 0.005
"""What a change is worth: so much of the error, even at the interval's end."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant of the product, and what else it might be."""

    module: ModuleType
    name: str
    candidates: tuple[float, ...]
    made: Callable[[float], Any] = float
    """From a candidate to the constant's value."""

    @contextmanager
    def set_to(self, candidate: float) -> Iterator[None]:
        """As if the product said so."""
        before = getattr(self.module, self.name)
        setattr(self.module, self.name, self.made(candidate))
        try:
            yield
        finally:
            setattr(self.module, self.name, before)


def _prior(slope: float) -> ByteMask:
    return np.asarray(np.clip(np.rint((np.arange(256) - 127.5) * slope + 127.5), 0, 255), np.uint8)


CONSTANTS: Final[Mapping[str, tuple[Constant, float]]] = {
    "least-kept": (Constant(matte, "LEAST_KEPT", (0.6, 0.7, 0.8, 0.9)), matte.LEAST_KEPT),
    "alpha-clip": (Constant(matte, "ALPHA_CLIP", (0.0, 0.03, 0.05, 0.08)), matte.ALPHA_CLIP),
    "prior-slope": (Constant(matte, "PRIOR", (1.25, 1.5, 1.75, 2.0, 2.5), _prior), 1.75),
    "colour-spread": (Constant(colour_line, "SPREAD", (24.0, 60.0, 100.0, 200.0)), colour_line.SPREAD),
    "colour-contrast": (
        Constant(colour_line, "CONTRASTS", (0.0, 1.0, 2.0, 8.0), lambda low: (low, 4 * low + 1e-6)),
        colour_line.CONTRASTS[0],
    ),
    "colour-weight": (Constant(matte, "DATA_WEIGHT_WHERE_TOLD", (0.2, 0.4, 2.0)), matte.DATA_WEIGHT_WHERE_TOLD),
    "hard-width": (Constant(zones, "HARD_WIDTH_PX", (1.0, 1.3, 1.6)), zones.HARD_WIDTH_PX),
    "soft-width": (Constant(zones, "SOFT_WIDTH_PX", (1.6, 2.0, 2.5, 3.0)), zones.SOFT_WIDTH_PX),
    "box-held": (Constant(in_box, "HELD", (0.8, 0.9, 0.99)), in_box.HELD),
    "box-filled": (Constant(in_box, "FILLED", (0.9, 0.95, 0.98)), in_box.FILLED),
    "box-apart": (Constant(in_box, "APART", (0.0, 0.5, 0.8)), in_box.APART),
    "box-least-kept": (Constant(in_box, "LEAST_KEPT", (0.0, 0.5, 0.7, 0.8, 0.95)), in_box.LEAST_KEPT),
}
"""By the name that the command takes, each with the value in use."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Errors of composites with each candidate, and what choosing on the folds gives."""

    folds: NDArray[np.intp]
    """(composites,): the fold of each."""
    subjects: tuple[str, ...]
    in_use: float
    errors: Mapping[float, Scores]
    """By candidate, the value in use among them; (composites,) each."""
    measure: str = SAD

    def chosen(self) -> dict[int, float]:
        """For each fold, the candidate that is best on all others; of equals the one in use."""
        return {fold: self._best(self.folds != fold) for fold in sorted(set(self.folds.tolist()))}

    def held_out(self) -> Estimate:
        """Ratio to the value in use, each fold with what the others chose."""
        ours = np.empty(len(self.folds))
        for fold, candidate in self.chosen().items():
            ours[self.folds == fold] = self.errors[candidate][self.folds == fold]
        return bootstrap(ours, self.errors[self.in_use], geometric_mean_ratio, self.subjects)

    def verdict(self) -> float | None:
        """The candidate to change to: every fold's choice, and surely better on what it has not seen."""
        choices = set(self.chosen().values())
        if len(choices) > 1 or self.in_use in choices or self.held_out().high >= 1 - LEAST_GAIN:
            return None
        return choices.pop()

    def markdown(self) -> str:
        """A table of candidates by fold, then what was chosen."""
        whole = np.ones(len(self.folds), np.bool_)
        chosen, held_out = self.chosen(), self.held_out()
        rows = [
            [f"{candidate:g}{' (in use)' * (candidate == self.in_use)}", f"{self._ratio(candidate, whole):.4f}"]
            + [f"{self._ratio(candidate, self.folds == fold):.4f}" for fold in chosen]
            for candidate in sorted(self.errors)
        ]
        rows.append(["chosen on the other folds", "", *(f"{candidate:g}" for candidate in chosen.values())])
        heads = [f"{self.measure} over the value in use", "all", *(f"fold {fold}" for fold in chosen)]
        to = self.verdict()
        said = "it stays" if to is None else f"{to:g} is better"
        interval = f"{held_out.value:.4f} [{held_out.low:.4f}, {held_out.high:.4f}]"
        return f"{table(heads, rows)}\n\nOn what the choice has not seen: {interval}; {said}."

    def _best(self, composites: NDArray[np.bool_]) -> float:
        return min(
            self.errors, key=lambda candidate: (self._ratio(candidate, composites), candidate != self.in_use)
        )

    def _ratio(self, candidate: float, composites: NDArray[np.bool_]) -> float:
        ours, in_use = (np.maximum(self.errors[each][composites], LEAST) for each in (candidate, self.in_use))
        return float(np.exp(np.log(ours / in_use).mean()))


def tried(
    constant: Constant,
    in_use: float,
    pairs: Sequence[Pair],
    segmenter: Segmenter,
    error: Callable[[ByteMask, ByteMask], float],
) -> dict[float, Scores]:
    """The error of every composite with every candidate; those of a Box with one around the subject."""
    errors: dict[float, list[float]] = {candidate: [] for candidate in sorted({in_use, *constant.candidates})}
    for number, pair in enumerate(pairs, 1):
        print(f"{number} of {len(pairs)}", file=sys.stderr, flush=True)
        source, truth = read_image(pair.photo.read_bytes(), LIMITS), np.asarray(Image.open(pair.alpha))
        box = asked(dict(boxes_of(pair, truth))[ONE]) if constant.module is in_box else None
        spec = CutoutSpec(model=segmenter.model, output=Output.MASK, box=box)
        for candidate, found in errors.items():
            with constant.set_to(candidate):
                found.append(error(np.asarray(cut(source, spec, segmenter).pixels, np.uint8), truth))
    return {candidate: np.array(found) for candidate, found in errors.items()}


def absolute_error(alpha: ByteMask, truth: ByteMask) -> float:
    """SAD, in thousands of pixels."""
    return float(np.abs(alpha.astype(np.int16) - truth).sum() / 255000)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=CONSTANTS)
    parser.add_argument("--candidates", nargs="+", type=float, help="instead of the usual ones")
    parser.add_argument("--group", nargs="+", choices=(NO_CASE, *CASES, SEVERAL), help="only composites of these")
    parser.add_argument("--measure", choices=(SAD, GRAD), default=SAD, help="what is to be least")
    parser.add_argument("--evaluator", type=Path, default=SHARED / "tools" / "evaluate.py", help="it knows Grad")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth composite")
    parser.add_argument("--out", type=Path, default=Path("out/quality"), help="keep composites and maps here")
    parser.add_argument("--pairs", nargs="+", type=Path, default=list(SHARED_SETS))
    options = parser.parse_args(arguments)
    constant, in_use = CONSTANTS[options.name]
    if options.candidates:
        constant = replace(constant, candidates=tuple(options.candidates))
    try:
        sets = [read_pairs(folder) for folder in options.pairs]
        boxed = constant.module is in_box
        made = groups_in(options.out / "groups", sets) if boxed else composites_in(options.out / "folds", sets)
        if options.group:
            made = made.only(lambda pair: pair.group in options.group)
        error = Evaluator(options.evaluator).gradient_error if options.measure == GRAD else absolute_error
        segmenter = keep_maps(load_segmenter(NetworkSettings()), options.out / MAPS)
    except (Absent, ModelUnavailable) as missing:
        print(missing, file=sys.stderr)
        return 2
    pairs = made.pairs[:: options.every]
    errors = tried(constant, in_use, pairs, segmenter, error)
    folds = np.array([pair.fold for pair in pairs], np.intp)
    trial = Trial(folds, tuple(pair.subject for pair in pairs), in_use, errors, options.measure)
    print(f"{options.name}\n\n{trial.markdown()}")
    return 1 if trial.verdict() is None else 0


if __name__ == "__main__":
    sys.exit(main())

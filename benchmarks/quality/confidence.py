"""Choose the weights of the confidence on composites in folds, and show how well it tells bad results from good.

    python -m benchmarks.quality.confidence [--fit] [--folds DIR] [--pairs DIR ...] [--out DIR] [--write PAGE]

A result is bad where its IoU with the truth is below a bound. What is shown of a picture comes from weights that
have seen no picture of its subject. `--fit` writes the weights of all folds into `worker/cutout/confidence.py`.
The exit status is 1 where a goal is missed, 2 where something is absent.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from timeit import repeat
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks import Absent
from benchmarks.bounds import Bound, at_least, at_most, verdict
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, table, write_part
from benchmarks.photos import LIMITS
from benchmarks.quality.folds.composites import add_set_options, sets_of
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.methods import MAPS
from benchmarks.quality.pairs import PairSet
from benchmarks.quality.scores import intersection_over_union
from cutgate.files import write_whole
from cutgate.jobs.spec import CutoutSpec, Output
from cutgate.worker.cutout import confidence
from cutgate.worker.cutout.pipeline import Frame, rate_mask, required, run_steps, steps_for
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

PART: Final = "confidence"
"""Of the page that `--write` names."""

Numbers = NDArray[np.float64]

BAD: Final = (0.9, 0.95)
"""Bounds of IoU; the first is what the weights are fitted to."""
REVIEWED: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
BELOW: Final = (0.5, 0.6, 0.7, 0.8, 0.9)
PENALTY: Final = 1e-3
"""Of the squared weights, over features with a standard deviation of 1."""
BINS: Final = 10
FOUND: Final = at_least(0.6)
"""Share of the results below the first bound that lie among the fifth with the least confidence."""
ERROR: Final = at_most(0.1)
SECONDS: Final = at_most(0.005)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Features and IoU of a set's results, in the set's order."""

    pairs: PairSet
    features: Numbers
    """(pictures, features)."""
    iou: Numbers
    """(pictures,): of alpha above one half with the truth's."""
    seconds: float
    """That a confidence takes, the median: of what is larger than the working size no more is looked at."""


def seen(pairs: PairSet, segmenter: Segmenter) -> Seen:
    """Cut every picture of a set out."""
    features, iou, seconds = [], [], []
    for number, pair in enumerate(pairs.pairs, 1):
        print(f"{pairs.name}: {number} of {len(pairs.pairs)}", file=sys.stderr, flush=True)
        source = read_image(pair.photo.read_bytes(), LIMITS)
        steps = steps_for(CutoutSpec(model=segmenter.model, output=Output.MASK), segmenter.predict, segmenter.soft)
        place = steps.index(rate_mask)  # later steps may crop the mask that it saw
        rated = run_steps(steps[:place], Frame(picture=source.over_backdrop()), lambda: None)
        frame = run_steps(steps[place:], rated, lambda: None)
        mask, alpha = required(rated.small), required(frame.result) > 127
        truth = np.asarray(cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE)) > 127
        features.append(confidence.features(mask, frame.picture))
        iou.append(intersection_over_union(alpha, truth))
        seconds.append(min(repeat(partial(confidence.confidence_of, mask, frame.picture), number=1, repeat=5)))
    return Seen(pairs, np.array(features), np.array(iou), float(np.median(seconds)))


def fitted(features: Numbers, is_right: NDArray[np.bool_]) -> Numbers:
    """(1 + features,): the weights of the logistic function that tells right results best."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scaled = np.column_stack([np.ones(len(features)), (features - mean) / deviation])

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        score, penalised = scaled @ weights, weights * [0, *np.ones(len(mean))]
        likelihood = np.logaddexp(0, score) - is_right * score
        slope = (1 / (1 + np.exp(-score)) - is_right) @ scaled / len(scaled)
        return float(likelihood.mean() + PENALTY * penalised @ penalised), slope + 2 * PENALTY * penalised

    intercept, *weights = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B").x
    return np.array([intercept - (weights / deviation) @ mean, *(weights / deviation)])


def confidences(folds: Seen, of: Seen) -> Numbers:
    """(pictures,): each from weights that have not seen its subject."""
    fold_of = {pair.subject: pair.fold for pair in folds.pairs.pairs}
    numbers = np.array([pair.fold for pair in folds.pairs.pairs])
    weights: dict[int | None, Numbers] = {}
    shown = []
    for pair, features in zip(of.pairs.pairs, of.features, strict=True):
        fold = fold_of.get(pair.subject)
        if fold not in weights:
            others = numbers != fold
            weights[fold] = fitted(folds.features[others], folds.iou[others] >= BAD[0])
        shown.append(1 / (1 + np.exp(-weights[fold][0] - features @ weights[fold][1:])))
    return np.array(shown)


def calibration_error(shown: Numbers, is_right: NDArray[np.bool_]) -> float:
    """Mean difference between confidence and share of right results, in bins of equally many."""
    bins = np.array_split(np.argsort(shown, kind="stable"), min(BINS, len(shown)))
    return float(sum(abs((shown[one] - is_right[one]).sum()) for one in bins) / len(shown))


def area_under_curve(shown: Numbers, is_bad: NDArray[np.bool_]) -> float:
    """How often a bad result has a lower confidence than a good one."""
    bad, good = shown[is_bad][:, None], shown[~is_bad][None]
    return float(np.mean((bad < good) + (bad == good) / 2)) if bad.size and good.size else float("nan")


def reviewed(shown: Numbers, share: float) -> NDArray[np.intp]:
    """The pictures with the least confidence, the least first."""
    return np.argsort(shown, kind="stable")[: round(share * len(shown))]


def report(folds: Seen, sets: Sequence[Seen]) -> tuple[str, bool]:
    """The tables as Markdown, and whether every goal is met."""
    all_sets = (folds, *sets)
    shown = [confidences(folds, one) for one in all_sets]
    rows, found = [], 0.0
    for one, values in zip(all_sets, shown, strict=True):
        for bound in BAD:
            is_bad = one.iou < bound
            shares = [is_bad[reviewed(values, share)].sum() / max(1, is_bad.sum()) for share in REVIEWED]
            area = f"{area_under_curve(values, is_bad):.2f}"
            counts = str(len(values)), f"{bound}", str(is_bad.sum())
            rows.append([one.pairs.name, *counts, area, *(f"{share:.0%}" for share in shares)])
            if one is folds and bound == BAD[0]:
                found = float(shares[REVIEWED.index(0.2)])
    heads = ["Set", "n", "bad: IoU <", "bad", "AUC", *(f"{share:.0%} reviewed" for share in REVIEWED)]
    error = calibration_error(shown[0], folds.iou >= BAD[0])
    seconds = max(one.seconds for one in all_sets)
    goals = [
        _goal(f"{folds.pairs.name}: bad results found by reviewing 20 %", FOUND, found, ".0%"),
        _goal(f"{folds.pairs.name}: calibration error", ERROR, error, ".3f"),
        _goal("seconds, at any size", SECONDS, seconds, ".4f"),
    ]
    parts = [
        table(["Confidence", "goal", "reached", "verdict"], [cells for cells, _ in goals]),
        "Share of the bad results that are among those with the least confidence:",
        table(heads, rows),
        f"Weights of all folds: {', '.join(f'{weight:.3f}' for weight in of_all(folds))}.",
        f"{folds.pairs.name}: what a review below a confidence is about (bad: IoU < {BAD[0]}):",
        _below(shown[0], folds.iou < BAD[0]),
        "Composites by how sure the score was, from the least on:",
        _calibration(shown[0], folds.iou >= BAD[0]),
        f"Bad results (IoU < {BAD[0]}) that reviewing 20 % misses:",
        table(["Set", "subject", "missed", "least IoU", "confidence"], _missed(all_sets, shown)),
    ]
    return "\n\n".join(parts), all(met for _, met in goals)


def of_all(folds: Seen) -> Numbers:
    """The weights that the product gets."""
    return fitted(folds.features, folds.iou >= BAD[0])


def _goal(name: str, bound: Bound, reached: float, form: str) -> tuple[list[str], bool]:
    met = bound.met(reached)
    return [name, bound.text(form), f"{reached:{form}}", verdict(met=met)], met


def _calibration(shown: Numbers, is_right: NDArray[np.bool_]) -> str:
    bins = np.array_split(np.argsort(shown, kind="stable"), BINS)
    rows = [[str(len(one)), f"{shown[one].mean():.2f}", f"{is_right[one].mean():.2f}"] for one in bins]
    return table(["composites", "mean confidence", "share right"], rows)


def _below(shown: Numbers, is_bad: NDArray[np.bool_]) -> str:
    rows = []
    for bound in BELOW:
        low = shown < bound
        shares = low.mean(), is_bad[low].sum() / is_bad.sum(), is_bad[low].sum() / max(1, low.sum())
        rows.append([f"{bound}", *(f"{share:.0%}" for share in shares)])
    return table(["confidence below", "of all", "of the bad", "bad among them"], rows)


def _missed(sets: Sequence[Seen], shown: Sequence[Numbers]) -> list[list[str]]:
    """Rows of the table of what stays unseen, by subject."""
    rows = []
    for one, values in zip(sets, shown, strict=True):
        unseen = np.setdiff1d(np.flatnonzero(one.iou < BAD[0]), reviewed(values, 0.2))
        subjects: dict[str, list[int]] = {}
        for place in unseen.tolist():
            subjects.setdefault(one.pairs.pairs[place].subject, []).append(place)
        for subject, places in sorted(subjects.items(), key=lambda item: -len(item[1])):
            span = f"{values[places].min():.2f} to {values[places].max():.2f}"
            rows.append([one.pairs.name, subject, str(len(places)), f"{one.iou[places].min():.2f}", span])
    return rows


def write_weights(weights: Numbers) -> None:
    """Put weights into the product."""
    file = Path(confidence.__file__)
    line = f"WEIGHTS: Final = ({', '.join(f'{weight:.3f}' for weight in weights)})"
    text, count = re.subn(r"^WEIGHTS: Final = .*$", line, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count == 1, f"{file} has one line of weights"
    write_whole(file, text.encode())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="write the weights into the product")
    add_set_options(parser)
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    options = parser.parse_args(arguments)
    try:
        if options.write:
            require_parts(options.write, [PART])
        composites, *photos = sets_of(options)
        segmenter = keep_maps(load_segmenter(NetworkSettings()), options.out / MAPS)
    except (Absent, ModelUnavailable) as missing:
        print(missing, file=sys.stderr)
        return 2
    folds, *others = (seen(pairs, segmenter) for pairs in (composites, *photos))
    text, all_met = report(folds, others)
    print(text)
    if options.fit:
        write_weights(of_all(folds))
    if options.write:
        write_part(options.write, PART, f"{conditions(this_command('benchmarks.quality.confidence'))}\n\n{text}")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())

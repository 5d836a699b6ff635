"""How many clicks a bad cut-out takes to be right.

    python -m benchmarks.quality.clicks [--folds DIR] [--pairs DIR ...] [--out DIR] [--write PAGE]

A simulated person clicks into the middle of the largest wrong part, to keep or to remove it, with a brush that
fits there, up to a share of the picture; each time the cut-out is refined from the network's mask and all clicks.
The constants of `worker/cutout/mask/parts.py` were chosen on composites, not on photos.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from timeit import repeat
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import Absent
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, table, write_part
from benchmarks.photos import LIMITS
from benchmarks.quality.folds.composites import add_set_options, sets_of
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.methods import MAPS
from benchmarks.quality.pairs import SOFT, Pair, PairSet
from benchmarks.quality.scores import intersection_over_union
from cutgate.jobs.spec import CutoutSpec, Output, Stroke, StrokeKind
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.finish import Finish, Finished, finish
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

PART: Final = "clicks"
"""Of the page that `--write` names."""

BAD: Final = 0.95
"""Cut-outs with a lower IoU are corrected."""
RIGHT: Final = 0.98
MOST_CLICKS: Final = 5
LARGEST_BRUSH: Final = 0.03
"""Radius as a share of the picture's long side."""
MOST_SOFT: Final = 0.6
"""Of a subject with more half-transparent pixels, beside its others, no click says what is right: glass, spray."""
EVERY: Final = 5
"""One of so many composites is looked at."""

PHOTO: Final = Path("examples/chelsea.jpg")
MEGAPIXELS: Final = (1, 4, 12)

Zone = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Correction:
    """What became of one picture."""

    name: str
    is_soft: bool
    iou: tuple[float, ...]
    """Before the first click and after each."""
    seconds: float
    """Of a processor that the slowest refinement took, decoding and encoding aside."""

    @property
    def clicks(self) -> float:
        """Until it was right; infinite where it was not."""
        return len(self.iou) - 1 if self.iou[-1] >= RIGHT else float("inf")


def corrected(pair: Pair, segmenter: Segmenter) -> Correction | None:
    """Correct one picture; None where its cut-out is not bad."""
    source = read_image(pair.photo.read_bytes(), LIMITS)
    level = np.asarray(cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE), np.uint8)
    truth, kept = level >= LIKELY, list[ByteMask]()
    spec = CutoutSpec(model=segmenter.model, output=Output.MASK)
    cut = partial(cut_out, source, check=lambda: None, soft=segmenter.soft)
    alpha = np.asarray(cut(spec=spec, find=segmenter.predict, found=kept.append).pixels, np.uint8)
    if (first := intersection_over_union(alpha >= LIKELY, truth)) >= BAD:
        return None
    iou, slowest = [first], 0.0
    while iou[-1] < RIGHT and len(iou) <= MOST_CLICKS:
        spec = spec.model_copy(update={"strokes": (*spec.strokes, click((alpha >= LIKELY) != truth, truth))})
        started = time.process_time()
        alpha = np.asarray(cut(spec=spec, find=kept[0]).pixels, np.uint8)
        slowest = max(slowest, time.process_time() - started)
        iou.append(intersection_over_union(alpha >= LIKELY, truth))
    soft = np.count_nonzero((level >= SOFT[0]) & (level <= SOFT[1])) / np.count_nonzero(truth)
    return Correction(pair.name, bool(soft > MOST_SOFT), tuple(iou), slowest)


def click(wrong: Zone, truth: Zone) -> Stroke:
    """Where a person would click next."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(wrong.view(np.uint8))
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    framed = cv2.copyMakeBorder((labels == largest).view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth_px = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = (int(place) for place in np.unravel_index(depth_px.argmax(), depth_px.shape))
    radius_px = max(1, int(min(depth_px[y, x], LARGEST_BRUSH * max(wrong.shape))))
    kind = StrokeKind.KEEP if truth[y, x] else StrokeKind.REMOVE
    return Stroke(kind=kind, radius_px=radius_px, points=((x, y),))


def report(sets: dict[str, list[Correction]]) -> str:
    """A row for each set, and for each of its pictures."""
    rows, pictures = [], []
    for name, all_of_it in sets.items():
        for of, some in (("opaque", False), ("half-transparent", True)):
            found = [one for one in all_of_it if one.is_soft is some]
            if found:
                rows.append([name, of, *_row(found)])
        pictures += [[name, one.name, *map("{:.3f}".format, one.iou)] for one in all_of_it]
    clicks = [str(count) for count in range(MOST_CLICKS + 1)]
    heads = ["set", "subject", "cut-outs", *(f"IoU, {count}" for count in clicks[:4])]
    heads += ["right after 1", "3", f"{MOST_CLICKS}", "median clicks", "worse after 1", "s"]
    shown = [[*row, *[""] * (len(clicks) + 2 - len(row))] for row in pictures]
    return f"{table(heads, rows)}\n\n{table(['set', 'picture', *clicks], shown)}"


def _row(found: list[Correction]) -> list[str]:
    iou = np.array([one.iou + one.iou[-1:] * (MOST_CLICKS + 1 - len(one.iou)) for one in found])
    clicks = np.array([one.clicks for one in found])
    median = float(np.median(clicks))
    return [
        str(len(found)),
        *(f"{mean:.3f}" for mean in iou.mean(axis=0)[:4]),
        *(f"{(clicks <= most).mean():.0%}" for most in (1, 3, MOST_CLICKS)),
        f"{median:g}" if np.isfinite(median) else f"> {MOST_CLICKS}",
        f"{(iou[:, 1] < iou[:, 0]).mean():.0%}",
        f"{max(one.seconds for one in found):.2f}",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    found = {composites.name: _all_corrected(composites, segmenter, EVERY)}
    found |= {one.name: _all_corrected(one, segmenter, 1) for one in photos}
    text = f"{report(found)}\n\n{times(segmenter)}"
    print(text)
    if options.write:
        write_part(options.write, PART, f"{conditions(this_command('benchmarks.quality.clicks'))}\n\n{text}")
    return 0


def times(segmenter: Segmenter) -> str:
    """Processor time of a result, decoding and encoding included, at several sizes of one photo."""
    photo = np.asarray(cv2.imread(str(PHOTO)), np.uint8)
    rows = []
    for megapixels in MEGAPIXELS:
        scale = (megapixels * 1e6 / (photo.shape[0] * photo.shape[1])) ** 0.5
        large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        data, spec, kept = (
            cv2.imencode(".jpg", large)[1].tobytes(),
            CutoutSpec(model=segmenter.model),
            list[ByteMask](),
        )
        cut_out(read_image(data, LIMITS), spec, segmenter.predict, lambda: None, found=kept.append)
        radius_px = max(1, int(LARGEST_BRUSH * max(large.shape)))
        where = (large.shape[1] // 2, large.shape[0] // 8)
        stroke = Stroke(kind=StrokeKind.KEEP, radius_px=radius_px, points=(where,))
        shown = [f"{megapixels} MP"]
        for strokes in ((), (stroke,)):
            made = partial(_result, data, spec.model_copy(update={"strokes": strokes}), kept[0])
            shown.append(f"{min(repeat(made, timer=time.process_time, number=1, repeat=3)):.2f} s")
        rows.append(shown)
    return table(["photo", "shown another way", "with a stroke"], rows)


def _result(data: bytes, spec: CutoutSpec, mask: ByteMask) -> Finished:
    return finish(cut_out(read_image(data, LIMITS), spec, mask, lambda: None), Finish.of(spec))


def _all_corrected(pairs: PairSet, segmenter: Segmenter, every: int) -> list[Correction]:
    found = []
    for number, pair in enumerate(pairs.pairs[::every], 1):
        print(f"{pairs.name}: {number}", file=sys.stderr, flush=True)
        if (correction := corrected(pair, segmenter)) is not None:
            found.append(correction)
    return found


if __name__ == "__main__":
    sys.exit(main())

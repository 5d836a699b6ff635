"""What a Box does to cut-outs: of photos with one subject, and of groups, where it says which one is meant.

    python -m benchmarks.quality.boxes [--pairs DIR ...] [--out DIR] [--before COMMIT] [--write PAGE]

The exit status is 1 where a goal is missed, 2 where something is absent.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from benchmarks import Absent
from benchmarks.bounds import at_most, verdict
from benchmarks.job import cut
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, table, write_part
from benchmarks.photos import LIMITS
from benchmarks.quality.folds.groups import groups_in
from benchmarks.quality.goals import GoalRow
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.methods import MAPS
from benchmarks.quality.pairs import SHARED_SETS, Pair, PairSet, read_pairs
from benchmarks.quality.scores import LEAST_OF_ONE, bootstrap, geometric_mean_ratio
from benchmarks.trees import worktree
from cutgate.files import write_whole
from cutgate.jobs.spec import Box, CutoutSpec
from cutgate.worker.cutout.raster.arrays import LIKELY, SEEN, ByteMask, RgbaImage
from cutgate.worker.cutout.raster.geometry import Region
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import NetworkSettings

PART: Final = "boxes"
"""Of the page that `--write` names."""

WHOLE, RIGHT, INSIDE, ONE = "whole picture", "right", "inside the subject", "on one of several"
"""The Boxes, by what they are."""
MARGIN: Final = 0.05
"""Of a right Box around the true alpha's bounds, in their own width and height."""
LEAST_SEEN_PX: Final = 16
"""As many likely pixels in a Box are something that a cut-out must not lose."""

MEASURES_TEXT: Final = """\
SAD: sum of |a − g| over the whole picture, in thousands of pixels; inside the subject, within the Box alone. "Per
photo" is the geometric mean of each photo's ratio, in brackets the interval that holds 95 % of all draws of
subjects. In ratios a SAD counts as half a thousand pixels at least."""

PER_PHOTO: Final = at_most(1.0)
WORST: Final = at_most(1.1)
NEVER: Final = at_most(0)


@dataclass(frozen=True, slots=True)
class Row:
    """A pair cut out with a Box; beside the cut-out without one, where that was made."""

    pair: str
    subject: str
    """What the photo shows; of a group, which one it is."""
    box: str
    sad: float
    """In thousands of pixels; inside the subject, within the Box alone."""
    sad_without: float = math.nan
    lost: bool = False
    """Whether nothing is left of what is seen in the Box without one."""
    equal: bool = False
    """Whether the two are equal to the byte."""


def boxes_of(pair: Pair, truth: ByteMask) -> Iterator[tuple[str, Region]]:
    """The Boxes that a pair is cut out with; of a group, the one around the subject that is meant."""
    height_px, width_px = truth.shape
    left, top, width, height = cv2.boundingRect((truth >= SEEN).view(np.uint8))
    around = Region(left, top, left + width, top + height).grown(round(MARGIN * width), round(MARGIN * height))
    right = around.clamped(height_px, width_px)
    if pair.fold is not None:
        yield ONE, right
        return
    depth = cv2.distanceTransform((truth >= LIKELY).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    row, column = (int(place) for place in np.unravel_index(int(depth.argmax()), depth.shape))
    reach = max(1, int(depth.max()) // 2)
    yield WHOLE, Region(0, 0, width_px, height_px)
    yield RIGHT, right
    yield INSIDE, Region(column, row, column, row).grown(reach, reach).clamped(height_px, width_px)


def asked(region: Region) -> Box:
    return Box(left_px=region.left_px, top_px=region.top_px, right_px=region.right_px, bottom_px=region.bottom_px)


def rows_of(photo: Path, pairs: Sequence[Pair], segmenter: Segmenter, *, beside: bool) -> Iterator[Row]:
    """Cut a photo out with the Boxes of each pair that shows it; `beside`: without one, too."""
    source = read_image(photo.read_bytes(), LIMITS)

    def alone(box: Box | None) -> RgbaImage:
        spec = CutoutSpec(model=segmenter.model, box=box)
        return np.asarray(cut(source, spec, segmenter).pixels, np.uint8)

    without = alone(None) if beside else None
    for pair in pairs:
        truth = np.asarray(cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE))
        for name, box in boxes_of(pair, truth):
            if name == WHOLE and without is None:
                continue
            cutout = alone(asked(box))
            scored = box.index if name == INSIDE else (slice(None), slice(None))
            row = Row(pair.name, pair.subject, name, _sad(cutout[scored], truth[scored]))
            if without is None:
                yield row
                continue
            seen, seen_without = (
                np.count_nonzero(each[box.index][..., 3] >= LIKELY) for each in (cutout, without)
            )
            yield replace(
                row,
                sad_without=_sad(without[scored], truth[scored]),
                lost=bool(seen_without >= LEAST_SEEN_PX > seen),
                equal=np.array_equal(cutout, without),
            )


def all_rows(sets: Sequence[PairSet], segmenter: Segmenter, *, beside: bool) -> list[Row]:
    """Cut out every pair of all sets, each photo once for all pairs that show it."""
    rows: list[Row] = []
    for pairs in sets:
        for number, (photo, shown) in enumerate(groupby(pairs.pairs, key=lambda pair: pair.photo), 1):
            print(f"{pairs.name}: photo {number}", file=sys.stderr, flush=True)
            rows += rows_of(photo, list(shown), segmenter, beside=beside)
    return rows


def report(rows: Sequence[Row], before: Sequence[Row] | None) -> tuple[str, bool]:
    """The tables as Markdown, and whether every goal is met."""
    by_box = {box: [row for row in rows if row.box == box] for box in (WHOLE, RIGHT, INSIDE, ONE)}
    goals = [
        _counted(WHOLE, "not equal to the byte", [not row.equal for row in by_box[WHOLE]]),
        *_ratios(RIGHT, "no Box", by_box[RIGHT], [row.sad_without for row in by_box[RIGHT]]),
        _counted(INSIDE, "nothing is left", [row.lost for row in by_box[INSIDE]]),
    ]
    heads, theirs = ["Photo", "Box", "no Box", "Cutgate"], dict[tuple[str, str], float]()
    if before is not None:
        theirs = {(row.pair, row.box): row.sad for row in before}
        heads.insert(3, "before")
        for box in (ONE, RIGHT, INSIDE):
            compared = _ratios(box, "before", by_box[box], [theirs[row.pair, box] for row in by_box[box]])
            goals += compared if box == ONE else [([*cells[:3], "", cells[4], ""], True) for cells, _ in compared]
    listed = []
    for row in (*by_box[RIGHT], *by_box[INSIDE], *by_box[ONE]):
        shown = [row.sad_without, *([theirs[row.pair, row.box]] if theirs else []), row.sad]
        listed.append([row.pair, row.box, *(f"{sad:.2f}" for sad in shown)])
    summary = table(["Box", "over", "n", "goal", "reached", "verdict"], [cells for cells, _ in goals])
    return "\n\n".join((summary, MEASURES_TEXT, table(heads, listed))), all(met for _, met in goals)


def _counted(box: str, what: str, missed: Sequence[bool]) -> GoalRow:
    count = sum(missed)
    cells = [f"{box}: {what}", "no Box", str(len(missed)), NEVER.text("d"), str(count), verdict(met=not count)]
    return cells, not count


def _ratios(box: str, over: str, rows: Sequence[Row], theirs: Sequence[float]) -> list[GoalRow]:
    """SAD per photo, and the photo on which its ratio is worst."""
    if not rows:
        return []
    ours, others = (np.maximum(sads, LEAST_OF_ONE) for sads in ([row.sad for row in rows], theirs))
    mean = bootstrap(ours, others, geometric_mean_ratio, [row.subject for row in rows])
    place = int(np.argmax(ours / others))
    worst = float(ours[place] / others[place])
    shown = f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
    named, count = f"{box}: worst SAD, {rows[place].pair}", str(len(rows))
    met, bounded = PER_PHOTO.met(round(mean.value, 3)), WORST.met(worst)
    return [
        ([f"{box}: SAD per photo", over, count, PER_PHOTO.text(".2f"), shown, verdict(met=met)], met),
        ([named, over, "1", WORST.text(".2f"), f"{worst:.2f}", verdict(met=bounded)], bounded),
    ]


def _sad(cutout: RgbaImage, truth: ByteMask) -> float:
    return float(np.abs(cutout[..., 3].astype(np.int16) - truth).sum() / 255_000)


def rows_before(commit: str, options: argparse.Namespace, sets: Sequence[PairSet]) -> list[Row]:
    """The rows by the worker of another commit, which are made once."""
    digest = "-".join(pairs.digest for pairs in sets)
    with worktree(commit) as before:
        file = options.out.absolute() / f"boxes-{before.commit}-{digest}.json"
        if not file.is_file():
            folders = (str(pairs.folder.absolute()) for pairs in sets)
            out = str(options.out.absolute())
            before.run(__spec__.name, "--rows", str(file), "--out", out, "--sets", *folders)
    return [Row(**row) for row in json.loads(file.read_bytes())]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", type=Path, default=list(SHARED_SETS))
    parser.add_argument("--out", type=Path, default=Path("out/quality"), help="keep groups and maps here")
    parser.add_argument("--before", metavar="COMMIT", help="compare with another commit of this repository, too")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    parser.add_argument("--rows", metavar="FILE", type=Path, help="only write what was measured of --sets")
    parser.add_argument("--sets", nargs="+", type=Path, default=(), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if options.write:
            require_parts(options.write, [PART])
        sets = [read_pairs(folder) for folder in options.sets or options.pairs]
        if not options.sets:
            sets.append(groups_in(options.out / "groups", sets))
        before = rows_before(options.before, options, sets) if options.before else None
        segmenter = keep_maps(load_segmenter(NetworkSettings()), options.out / MAPS)
        rows = all_rows(sets, segmenter, beside=options.rows is None)
    except (Absent, ModelUnavailable) as missing:
        print(missing, file=sys.stderr)
        return 2
    if options.rows:
        write_whole(options.rows, json.dumps([asdict(row) for row in rows]).encode())
        return 0
    text, all_met = report(rows, before)
    print(text)
    if options.write:
        write_part(options.write, PART, f"{conditions(this_command('benchmarks.quality.boxes'))}\n\n{text}")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())

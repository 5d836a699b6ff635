"""Cut out photos whose alpha is known by every method, compare, and hold Cutgate to its goals.

    python -m benchmarks.quality [--pairs DIR ...] [--evaluator FILE] [--out DIR] [--before COMMIT]
        [--without-rembg] [--service URL] [--write PAGE]

Without `--service` the worker's pipeline runs in this process. The exit status is 1 where a goal is missed, 2
where something is absent.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import Absent
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, write_part
from benchmarks.quality.evaluator import Evaluator
from benchmarks.quality.folds.composites import composites_in
from benchmarks.quality.methods import BEFORE, CUTGATE, MAPS, MASK, Results, by_service, in_process
from benchmarks.quality.pairs import SHARED, SHARED_SETS, read_pairs
from benchmarks.quality.report import SetReport, whole_report
from benchmarks.quality.scores import Scored
from benchmarks.quality.sheet import Exhibit, contact_sheets, typical_and_worst
from benchmarks.trees import worktree
from cutgate.jobs.spec import Refinement
from cutgate.worker.models.errors import ModelUnavailable

PARTS: Final = {False: "quality", True: "quality without rembg"}
"""Of the page that `--write` names, by whether rembg is left out."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", type=Path, default=list(SHARED_SETS))
    parser.add_argument("--evaluator", type=Path, default=SHARED / "tools" / "evaluate.py")
    parser.add_argument("--out", type=Path, default=Path("out/quality"), help="keep cut-outs and scores here")
    parser.add_argument("--before", metavar="COMMIT", help="compare with another commit of this repository, too")
    parser.add_argument(
        "--without-rembg", action="store_true", help="leave rembg out, whose matting takes longest"
    )
    parser.add_argument("--service", metavar="URL", help="measure a running service")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    return parser.parse_args(arguments)


def exhibits(results: Results, report: SetReport) -> Iterator[Exhibit]:
    """Every photo; of composites two of each group, with the median and the worst SAD beside the commit before."""
    beside = BEFORE if BEFORE in results.methods else CUTGATE
    ours, pairs = report.scored[CUTGATE], report.pairs
    places = typical_and_worst(ours, report.scored[beside]) if pairs.in_folds else range(len(ours.names))
    shown = {method: results.folder(method, pairs) for method in results.methods if method in (BEFORE, CUTGATE)}
    for pair in (pairs.pairs[place] for place in places):
        yield Exhibit(pair, {method: folder / f"{pair.name}.png" for method, folder in shown.items()})


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    part = PARTS[options.without_rembg]
    try:
        if options.write:
            require_parts(options.write, [part])
        evaluator, sets = Evaluator(options.evaluator), [read_pairs(folder) for folder in options.pairs]
        if any(pairs.small for pairs in sets):
            sets.append(composites_in(options.out / "folds", sets))
        else:
            print("no composites: no set of small subjects lends its backgrounds", file=sys.stderr)
        if options.service:
            ours = {CUTGATE: by_service(options.service)}
        else:
            cut = in_process(options.out / MAPS)
            ours = {MASK: partial(cut, refinement=Refinement.RAW), CUTGATE: cut}
        with ExitStack() as undo:
            before = undo.enter_context(worktree(options.before)) if options.before else None
            results = Results(options.out, evaluator, ours, before, rembg=not options.without_rembg)
            scored = {m: [Scored.of(results.scored(m, pairs)) for pairs in sets] for m in results.methods}
            reports = [
                SetReport(pairs, {m: each[n] for m, each in scored.items() if each[n].names})
                for n, pairs in enumerate(sets)
            ]
    except (Absent, ModelUnavailable) as missing:
        print(missing, file=sys.stderr)
        return 2
    text, all_met = whole_report(reports)
    print(text)
    folder = options.out / "sheets"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, sheet in enumerate(contact_sheets(e for report in reports for e in exhibits(results, report))):
        sheet.save(folder / f"{number:02}.png")
    print(f"\nContact sheets: {folder}")
    if options.write:
        write_part(options.write, part, f"{conditions(this_command('benchmarks.quality'))}\n\n{text}")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())

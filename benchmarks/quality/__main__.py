"""Cut out photos whose alpha is known by every method, compare, and hold Cutgate to its goals.

    python -m benchmarks.quality [--pairs DIR ...] [--evaluator FILE] [--out DIR] [--before COMMIT]
        [--service URL] [--write PAGE]

Without `--service` the worker's pipeline runs in this process. The exit status is 1 where a goal is missed, 2
where something is absent.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import Absent
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, write_part
from benchmarks.quality.folds.composites import composites_in
from benchmarks.quality.methods import CUTGATE, MAPS, MATTING, Results, by_service, in_process
from benchmarks.quality.pairs import SHARED, SHARED_SETS, Evaluator, read_pairs
from benchmarks.quality.report import SetReport, whole_report
from benchmarks.quality.scores import Scored
from benchmarks.quality.sheet import Exhibit, chosen_by_sad, contact_sheet
from benchmarks.trees import worktree
from cutgate.worker.models.errors import ModelUnavailable

PART: Final = "quality"
"""Of the page that `--write` names."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", type=Path, default=list(SHARED_SETS))
    parser.add_argument("--evaluator", type=Path, default=SHARED / "tools" / "evaluate.py")
    parser.add_argument("--out", type=Path, default=Path("out/quality"), help="keep cut-outs and scores here")
    parser.add_argument("--before", metavar="COMMIT", help="compare with another commit of this repository, too")
    parser.add_argument("--service", metavar="URL", help="measure a running service")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    return parser.parse_args(arguments)


def exhibits(results: Results, report: SetReport) -> list[Exhibit]:
    folders = {method: results.folder(method, report.pairs) for method in results.methods}
    shown = chosen_by_sad(report.scored[CUTGATE], report.scored[MATTING])
    pairs = [report.pairs.pairs[index] for index in shown]
    return [Exhibit(pair, {m: folder / f"{pair.name}.png" for m, folder in folders.items()}) for pair in pairs]


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        if options.write:
            require_parts(options.write, [PART])
        evaluator, sets = Evaluator(options.evaluator), [read_pairs(folder) for folder in options.pairs]
        if any(pairs.small for pairs in sets):
            sets.append(composites_in(options.out / "folds", sets))
        else:
            print("no composites: no set of small subjects lends its backgrounds", file=sys.stderr)
        cutgate = by_service(options.service) if options.service else in_process(options.out / MAPS)
        with ExitStack() as undo:
            before = undo.enter_context(worktree(options.before)) if options.before else None
            results = Results(options.out, evaluator, cutgate, before)
            scored = {m: [Scored.of(results.scored(m, pairs)) for pairs in sets] for m in results.methods}
            reports = [SetReport(pairs, {m: scored[m][n] for m in scored}) for n, pairs in enumerate(sets)]
    except (Absent, ModelUnavailable) as missing:
        print(missing, file=sys.stderr)
        return 2
    text, all_met = whole_report(reports)
    print(text)
    sheet = options.out / "sheet.png"
    shown = [report for report in reports if not report.pairs.in_folds]
    contact_sheet([exhibit for report in shown for exhibit in exhibits(results, report)]).save(sheet)
    print(f"\nContact sheet: {sheet}")
    if options.write:
        write_part(options.write, PART, f"{conditions(this_command('benchmarks.quality'))}\n\n{text}")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())

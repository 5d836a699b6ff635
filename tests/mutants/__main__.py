"""Mutation testing: makes mutants of the product and runs, for each, the tests that cover its line.

    python -m tests.mutants --count 300 --seed 1 --under gateway --under jobs
    python -m tests.mutants --count 100 --seed 2 --against ../before

A test may be removed if others fail for every mutant for which it fails, so each run goes on after a failure and
the report lists all tests that failed. mutmut, cosmic-ray and pytest-gremlins store one verdict for each mutant.
"""

import argparse
import hashlib
import json
import os
import queue
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.mutants.mutate import Mutant, sample
from tests.mutants.suite import Copy, Suite

ROOT: Final = Path(__file__).parents[2]
PARTS: Final = ("courier", "cutgate", "gateway", "jobs", "signing", "worker")
FEW: Final = 3
"""Up to so many tests that fail for a mutant are run once more."""
IDENTITY: Final = ("path", "start", "kind", "after")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="mutants")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other mutants")
    parser.add_argument("--under", action="append", choices=PARTS, help="a part of the product; all by default")
    parser.add_argument("--tree", type=Path, default=ROOT, help="product and tests; this repository by default")
    parser.add_argument("--against", type=Path, help="a checkout with other tests, run on the same mutants")
    parser.add_argument("--seconds", type=float, default=60.0, help="usual time of the tests run for a mutant")
    parser.add_argument("--timeout", type=int, default=60, help="seconds after which a test has failed")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "mutants.json", help="the kill matrix")
    parser.add_argument("--kept", type=Path, default=ROOT / "out" / "mutants", help="what was measured of tests")
    return parser.parse_args()


def main() -> int:
    """Run mutants that the report does not have yet, and print the table.

    Returns:
        1 where the other tests kill a mutant that these do not, else 0.
    """
    options = parsed()
    os.nice(19)
    parts = options.under or PARTS
    trees = {"new": options.tree, **({"old": options.against} if options.against else {})}
    matrix = json.loads(options.report.read_text()) if options.report.exists() else []
    done = {tuple(row[name] for name in IDENTITY) for row in matrix}
    chosen = sample(options.tree, parts, options.count, options.seed)
    left = [mutant for mutant in chosen if tuple(getattr(mutant, name) for name in IDENTITY) not in done]
    with ExitStack() as stack:
        copies: queue.Queue[dict[str, Copy]] = queue.Queue()
        for _ in range(options.jobs):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))
            copies.put(
                {name: Copy(folder / name, options.tree, tests, options.timeout) for name, tests in trees.items()}
            )
        first = copies.get()
        suites = {name: Suite(copy, options.kept / fingerprint(copy.root), parts) for name, copy in first.items()}
        copies.put(first)
        pool = stack.enter_context(ThreadPoolExecutor(options.jobs))
        runs = [pool.submit(tried, mutant, suites, copies, options.seconds) for mutant in left]
        for number, run in enumerate(as_completed(runs), 1):
            matrix.append(run.result())
            save(options.report, matrix)
            row = matrix[-1]
            counts = ", ".join(f"{len(failed)} of {row['ran'][name]}" for name, failed in row["failed"].items())
            print(f"{number}/{len(left)}  {row['path']}:{row['line']}  {row['kind']}: {counts} failed", flush=True)
    return print_table(matrix)


def fingerprint(root: Path) -> str:
    """Of every Python file in a tree."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def tried(
    mutant: Mutant, suites: Mapping[str, Suite], copies: queue.Queue[dict[str, Copy]], seconds: float
) -> dict[str, Any]:
    """A row of the matrix: a mutant and the tests of each suite that fail for it."""
    row = asdict(mutant) | {"ran": {}, "failed": {}}
    copy_of = copies.get()
    try:
        for name, suite in suites.items():
            tests = suite.tests_of(mutant, seconds)
            with copy_of[name].changed(mutant):
                failed = copy_of[name].run(tests, suite.seconds_of(tests)).failed if tests else frozenset[str]()
                if 0 < len(failed) <= FEW and failed <= set(tests):
                    # A busy machine fails a test as well, but hardly twice.
                    failed &= copy_of[name].run(failed, suite.seconds_of(failed)).failed
            row["ran"][name], row["failed"][name] = len(tests), sorted(failed)
    finally:
        copies.put(copy_of)
    return row


def save(report: Path, matrix: list[dict[str, Any]]) -> None:
    """Write the matrix so that a reader always finds a whole one."""
    report.parent.mkdir(parents=True, exist_ok=True)
    written = report.with_suffix(".part")
    written.write_text(json.dumps(matrix, indent=1))
    written.replace(report)


def print_table(matrix: list[dict[str, Any]]) -> int:
    """Print what each suite kills, which tests alone kill a mutant, and what only the other tests kill."""
    print(f"\n{'tests':8}{'mutants':>9}{'killed':>9}{'survived':>9}{'by one test':>12}")
    for name in matrix[0]["failed"] if matrix else ():
        kills = [row["failed"][name] for row in matrix if name in row["failed"]]
        killed = [failed for failed in kills if failed]
        alone = [failed[0] for failed in killed if len(failed) == 1]
        print(f"{name:8}{len(kills):9}{len(killed):9}{len(kills) - len(killed):9}{len(alone):12}")
    print("\nSurvivors:")
    for row in matrix:
        if not row["failed"]["new"]:
            print(f"  {row['path']}:{row['line']}  {row['kind']}: {row['before']} -> {row['after']}")
    print("\nTests that alone kill a mutant:")
    print(*sorted({f"  {row['failed']['new'][0]}" for row in matrix if len(row["failed"]["new"]) == 1}), sep="\n")
    lost = [row for row in matrix if row["failed"].get("old") and not row["failed"]["new"]]
    for row in lost:
        print(f"Only the other tests kill {row['path']}:{row['line']} {row['before']} -> {row['after']}:")
        print(*(f"  {name}" for name in row["failed"]["old"]), sep="\n")
    return int(bool(lost))


if __name__ == "__main__":
    raise SystemExit(main())

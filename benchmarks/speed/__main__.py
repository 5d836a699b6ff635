"""Time jobs beside the network alone and beside rembg on the same weights, and hold Cutgate to its goals.

    python -m benchmarks.speed [--only SECTION ...] [--rounds N] [--jobs N] [--rembg COMMAND] [--write PAGE]

Every engine and section runs in a process of its own, so that none sees the threads or the memory of another. What
this processor or installation cannot run says what it lacks. The exit status is 1 where a goal is missed, 2 where
`--write` names no page with a place for the tables.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

from benchmarks import Absent
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, write_part
from benchmarks.speed import jobs, memory, refinement, service
from benchmarks.speed.engines import CHOICES
from benchmarks.speed.rows import Row, as_table, lacking
from cutgate.worker.models.errors import ModelUnavailable

Made = TypeVar("Made")

REFINEMENT, SERVICE, MEMORY = "refinement", "service", "memory"
TITLES: Final = {
    jobs.JOB: "A whole job, from encoded photo to encoded PNG, over the network's run alone",
    jobs.REMBG: "rembg's time over Cutgate's, both without matting",
    jobs.MATTING: "rembg's time with alpha matting over Cutgate's with HairOptimization on",
    REFINEMENT: "Refinement and colours alone, on one thread: CPU seconds",
    SERVICE: "Pictures a second through the whole service over those of `rembg s`, four clients, 1 megapixel",
    MEMORY: "Memory of a worker's process",
}
"""Sections in the order of the page."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TITLES, default=list(TITLES), metavar="SECTION")
    parser.add_argument(
        "--rounds",
        type=positive,
        default=5,
        help="of each comparison; half of them where rembg mattes and for the service",
    )
    parser.add_argument("--jobs", type=positive, default=300, help="how many jobs the memory is watched over")
    parser.add_argument(
        "--rembg", help="the command `rembg`, with its server; default: beside this Python, or in PATH"
    )
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def part_of(section: str) -> str:
    """Where a section stands in the page that `--write` names."""
    return f"speed, {section}"


def rembg_command(named: str | None) -> str:
    """The command that starts rembg's server: as named, beside this Python, or in PATH."""
    beside = Path(sys.executable).with_name("rembg")
    return named or (str(beside) if beside.is_file() else shutil.which("rembg") or "rembg")


def sections(options: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Each chosen section's rows, as soon as they are there."""
    in_jobs = [section for section in (jobs.JOB, jobs.REMBG, jobs.MATTING) if section in options.only]
    if in_jobs:
        yield from job_rows(in_jobs, options.rounds).items()
    if REFINEMENT in options.only:
        with environment(refinement.ONE_THREAD):
            rows = apart(refinement.measure, options.rounds)
        yield REFINEMENT, rows
    if SERVICE in options.only:
        yield SERVICE, service_rows(rembg_command(options.rembg), options.rounds)
    if MEMORY in options.only:
        yield MEMORY, apart(memory.measure, options.jobs)


def job_rows(in_jobs: Sequence[str], rounds: int) -> dict[str, list[Row]]:
    """Rows of the sections that share their runs."""
    rows: dict[str, list[Row]] = {section: [] for section in in_jobs}
    for choice in CHOICES:
        try:
            made = apart(jobs.measure, choice, in_jobs, rounds)
        except (Absent, ModelUnavailable) as reason:
            made = {section: [lacking(choice.name, reason)] for section in in_jobs}
        for section, section_rows in made.items():
            rows[section] += section_rows
    return rows


def service_rows(rembg: str, rounds: int) -> list[Row]:
    """Rows of the section that starts servers."""
    rows: list[Row] = []
    for choice in CHOICES:
        try:
            rows += apart(service.measure, choice, rembg, (rounds + 1) // 2)
        except (Absent, ModelUnavailable) as reason:
            rows.append(lacking(choice.name, reason))
    return rows


def apart(function: Callable[..., Made], *arguments: object) -> Made:
    """Call a function in a fresh process and give what it returns or raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """The environment with some variables set, for processes that start within the block."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    try:
        if options.write:
            require_parts(options.write, map(part_of, options.only))
    except Absent as missing:
        print(missing, file=sys.stderr)
        return 2
    missed = False
    for section, rows in sections(options):
        print(f"\n{TITLES[section]}\n\n{as_table(rows)}", flush=True)
        if options.write:
            measured = conditions(this_command("benchmarks.speed"))
            write_part(options.write, part_of(section), f"{measured}\n\n{as_table(rows)}")
        missed |= any(row.met is False for row in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

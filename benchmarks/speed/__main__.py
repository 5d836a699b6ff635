"""Time jobs beside the network alone and beside rembg on the same weights, and hold Cutgate to its goals.

    python -m benchmarks.speed [--only SECTION ...] [--rounds N] [--before COMMIT] [--write PAGE] ...

Every engine and section runs in a process of its own, so that none sees the threads or the memory of another. What
this processor or installation cannot run says what it lacks. The exit status is 1 where a goal is missed, 2 where
`--write` names no page with a place for the tables.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

from benchmarks import Absent, memory
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, write_part
from benchmarks.photos import photos
from benchmarks.speed import jobs, overhead, throughput
from benchmarks.speed.engines import CHOICES
from benchmarks.speed.rows import BEFORE, Row, as_table, lacking
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import NetworkSettings

Made = TypeVar("Made")

SHARED: Final = Path("../shared")

OVERHEAD, QUEUE, MEMORY = "overhead", "queue", "memory"
TITLES: Final = {
    jobs.JOB: "A whole job, from encoded photo to encoded PNG, over the network's run alone",
    jobs.REMBG: "rembg's time over Cutgate's, both without matting",
    jobs.MATTING: "rembg's time with alpha matting over Cutgate's with HairOptimization on",
    OVERHEAD: "Everything but the network, on one thread: CPU milliseconds",
    QUEUE: "Pictures a second of a queue through one worker, two at once over one at a time",
    MEMORY: "Memory of a worker's process",
}
"""Sections in the order of the page."""

Table = tuple[str, list[Row], str]
"""A section, its rows, and all that is shown of it as Markdown."""


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TITLES, default=list(TITLES), metavar="SECTION")
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="of each comparison; half of them where one takes long",
    )
    parser.add_argument(
        "--before",
        metavar="COMMIT",
        help="another commit, to measure in turn",
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        type=Path,
        default=SHARED / "data" / "eval",
        help="where photos with hair and fur are",
    )
    parser.add_argument("--jobs", type=int, default=300, help="how many jobs the memory is watched over")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    return parser.parse_args(arguments)


def part_of(section: str) -> str:
    return f"speed, {section}"


def sections(options: argparse.Namespace) -> Iterator[Table]:
    """Each chosen section, as soon as it is there."""
    taken, few = photos(options.photos), (options.rounds + 1) // 2
    in_jobs = [section for section in (jobs.JOB, jobs.REMBG, jobs.MATTING) if section in options.only]
    if in_jobs:
        for section, rows in by_choice(in_jobs, jobs.measure, in_jobs, taken, options.rounds).items():
            yield section, rows, as_table(rows)
    if OVERHEAD in options.only:
        rows, steps = apart(overhead.measure, taken, options.rounds, options.before)
        yield OVERHEAD, rows, f"{as_table(rows, BEFORE)}\n\n{steps}"
    if QUEUE in options.only:
        rows = apart(throughput.measure, few)
        yield QUEUE, rows, as_table(rows)
    if MEMORY in options.only:
        rows = apart(memory.of_a_worker, options.jobs, NetworkSettings().model)
        yield MEMORY, rows, as_table(rows)


def by_choice(
    chosen: Sequence[str], measure: Callable[..., Mapping[str, list[Row]]], *arguments: object
) -> dict[str, list[Row]]:
    """Rows of some sections for every engine and precision; those that cannot be run here say why."""
    rows: dict[str, list[Row]] = {section: [] for section in chosen}
    for choice in CHOICES:
        try:
            made = apart(measure, choice, *arguments)
        except (Absent, ModelUnavailable) as reason:
            made = {section: [lacking(choice.name, reason)] for section in chosen}
        for section, section_rows in made.items():
            rows[section] += section_rows
    return rows


def apart(function: Callable[..., Made], *arguments: object) -> Made:
    """Call a function in a fresh process and give what it returns or raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    missed = False
    try:
        if options.write:
            require_parts(options.write, map(part_of, options.only))
        for section, rows, text in sections(options):
            print(f"\n{TITLES[section]}\n\n{text}", flush=True)
            if options.write:
                measured = conditions(this_command("benchmarks.speed"))
                write_part(options.write, part_of(section), f"{measured}\n\n{text}")
            missed |= any(row.met is False for row in rows)
    except Absent as missing:
        print(missing, file=sys.stderr)
        return 2
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

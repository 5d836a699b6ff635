"""Measure the gateway alone: processor time of each kind of request, how many pass in a second, and memory.

    python -m benchmarks.gateway [--only ROW ...] [--requests N] [--rounds N]
    python -m benchmarks.gateway --before COMMIT | --setting NAME=VALUE

Processor time holds on busy machines too; requests a second and their times hold on idle ones alone. With
`--before` another commit is measured in turn with this tree; with `--setting` this one with a setting, such as
`REQUEST_THREADS=8`, in turn with its defaults. The exit status is 1 where a goal is missed, 2 where the other
commit or a place for the tables is absent.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

from benchmarks import Absent
from benchmarks.bounds import Bound
from benchmarks.gateway.live import live_gateway
from benchmarks.gateway.measure import Figures, Side, in_turn
from benchmarks.gateway.rows import ROWS, Cast, Row
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, table, write_part
from benchmarks.trees import Tree, here, worktree

FIGURES = "gateway"
SETTING = "gateway, a setting"
"""Places in the page that `--write` names."""


def _setting(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError("is NAME=VALUE, such as REQUEST_THREADS=8")
    return text


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [row.name for row in ROWS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names))
    parser.add_argument("--requests", type=int, default=250, help="small ones in a run; large ones are fewer")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind")
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64], help="keep-alive connections")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="gateway processes")
    parser.add_argument("--rate", type=int, default=20, help="requests that an account may send in a second")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--before", metavar="COMMIT", help="another commit, measured in turn")
    other.add_argument("--setting", type=_setting, metavar="NAME=VALUE", help="this one with a setting, in turn")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the tables into this page, too")
    return parser.parse_args(arguments)


def speed(options: argparse.Namespace) -> Iterator[tuple[str, bool]]:
    """A table for each number of processes and of connections, once it is there; whether goals are met."""
    with ExitStack() as trees:
        yield from _tables(options, list(_compared(options, trees)))


def _tables(options: argparse.Namespace, compared: Sequence[tuple[Tree, list[str]]]) -> Iterator[tuple[str, bool]]:
    commits = " / ".join(" with ".join([tree.commit, *changed]) for tree, changed in compared)
    for processes in options.processes:
        with ExitStack() as stack:
            clients = stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
            sides = []
            for tree, changed in compared:
                settings = dict(each.split("=", 1) for each in changed)
                gateway = stack.enter_context(live_gateway(tree, processes, **settings))
                cast = Cast.on(gateway, requests=options.requests, rate=options.rate)
                sides.append(Side(gateway, cast, clients))
            for connections in options.connections:
                found = {
                    row: in_turn(sides, row, options.requests, connections, options.rounds)
                    for row in ROWS
                    if row.name in options.only
                }
                title = f"{commits}. Gateway processes: {processes}; connections: {connections}."
                rows = [cells(row, figures) for row, figures in found.items()]
                yield f"{title}\n\n{table(heads(len(sides)), rows)}", all(map(goals_met, found, found.values()))


def _compared(options: argparse.Namespace, trees: ExitStack) -> Iterator[tuple[Tree, list[str]]]:
    """Trees to measure in turn, each with its changed settings; the last is this one as it is."""
    if options.before:
        yield trees.enter_context(worktree(options.before)), []
    if options.setting:
        yield here(), [options.setting]
    yield here(), []


def heads(sides: int) -> list[str]:
    costs = [["gateway µs", "goal"], ["server µs", "goal"]]
    with_ratios = [head for cost in costs for head in ([*cost, "ratio"] if sides > 1 else cost)]
    return ["", *with_ratios, "clients µs", "a second", "p50 ms", "p99 ms"]


def cells(row: Row, figures: Sequence[Figures]) -> list[str]:
    """A line of the table; before and now have a slash between."""

    def both(name: str, form: str = ".0f") -> str:
        return " / ".join(f"{getattr(each, name):{form}}" for each in figures)

    def ratio(name: str) -> list[str]:
        before, now = getattr(figures[0], name), getattr(figures[-1], name)
        return [f"{now / before:.2f}"] if len(figures) > 1 else []

    return [
        row.name,
        both("gateway_us"),
        goal(row.gateway_goal_us),
        *ratio("gateway_us"),
        both("server_us"),
        goal(row.server_goal_us),
        *ratio("server_us"),
        both("clients_us"),
        both("a_second"),
        both("p50_ms", ".1f"),
        both("p99_ms", ".1f"),
    ]


def goal(bound: Bound | None) -> str:
    return "–" if bound is None else bound.text(".0f")


def goals_met(row: Row, figures: Sequence[Figures]) -> bool:
    """Whether this checkout reaches the goals of a row."""
    pairs = ((row.gateway_goal_us, figures[-1].gateway_us), (row.server_goal_us, figures[-1].server_us))
    return all(bound is None or bound.met(figure) for bound, figure in pairs)


def main(arguments: list[str] | None = None) -> int:
    options = parsed(arguments)
    part = SETTING if options.setting else FIGURES
    try:
        if options.write:
            require_parts(options.write, [part])
        texts, met = [], True
        for text, goals in speed(options):
            print(f"\n{text}", flush=True)
            texts.append(text)
            met &= goals
    except Absent as missing:
        print(missing, file=sys.stderr)
        return 2
    if options.write:
        write_part(options.write, part, "\n\n".join([conditions(this_command("benchmarks.gateway")), *texts]))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.simulator --seconds 60 --seed 1`: schedules until one fails, which is then made short."""

import random
import sys
import time

import click

from tests.simulator.planted import HEADINGS, rows
from tests.simulator.schedule import run_seeds


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long to go on.")
@click.option("--schedules", type=int, help="How many at most instead; what fails is then not made short.")
@click.option("--seed", type=int, help="Of the first schedule; the next have the next. Default: any.")
@click.option("--planted", is_flag=True, help="Plant faults instead, and print which are found, and how soon.")
@click.option("--only", default="", help="Part of a planted fault's name.")
def main(seconds: float, schedules: int | None, seed: int | None, planted: bool, only: str) -> None:
    """Play random schedules; exit with 1 if one violates a rule, and print it."""
    first = random.randrange(10**6) if seed is None else seed
    if planted:
        sys.exit(_plant(first, only))
    until = time.monotonic() + seconds
    if schedules is None:
        failed = run_seeds(first, lambda _: time.monotonic() < until)
    else:
        failed = run_seeds(first, lambda count: count < schedules, shortens=False)
    click.echo(failed.told)
    sys.exit(failed.found)


def _plant(seed: int, only: str) -> bool:
    """Print the table of planted faults; whether more than a tenth were missed."""
    table = []
    for row in (HEADINGS, ("---",) * len(HEADINGS)):
        click.echo(f"| {' | '.join(row)} |")
    for row in rows(seed, only):
        click.echo(f"| {' | '.join(row)} |")
        table.append(row)
    found = sum(row[1] != "no" for row in table)
    click.echo(f"\n{found} of {len(table)} found")
    return found < 0.9 * len(table)


if __name__ == "__main__":
    main()

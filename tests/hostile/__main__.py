"""`python -m tests.hostile --inputs 100000`: every campaign in turn, and a table of what was found."""

import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from cutgate.jobs.observe import logs
from tests.hostile.judgement import HEADINGS, row
from tests.hostile.plan import INPUTS, Ended, run
from tests.hostile.trials import Trial

MOST_KEPT = 20
"""Inputs of one campaign that are written out."""


@click.command()
@click.option("--inputs", default=INPUTS, show_default=True, help="How many, over all campaigns.")
@click.option("--seed", type=int, help="Of everything that is chosen; default: a new one.")
@click.option("--only", multiple=True, help="Part of a campaign's name; may come again. All where absent.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the table as well."
)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Folder for inputs that met a fault."
)
def main(inputs: int, seed: int | None, only: tuple[str, ...], report: Path | None, keep: Path | None) -> None:
    """Send hostile inputs of every kind; exit with 1 if one did harm."""
    logs.configure("console", "error")
    seed = secrets.randbelow(10**9) if seed is None else seed
    today = datetime.now(UTC).date().isoformat()
    lines = [f"{today}, {os.cpu_count()} virtual cores; {inputs} inputs, seed {seed}", ""]
    lines += [_row(HEADINGS), _row(("---",) * len(HEADINGS))]
    click.echo("\n".join(lines))
    faults = []
    for ended in run(inputs, seed, only or ("",)):
        lines.append(_row(row(ended.campaign.name, ended.findings, ended.seconds)))
        click.echo(lines[-1])
        faults += [f"{ended.campaign.name}: {fault}" for fault in ended.findings.told()]
        if keep is not None:
            _write_out(ended, seed, keep)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text("\n".join([*lines, "", *(f"- {fault}" for fault in faults)]).rstrip() + "\n", "utf-8")
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(1 if faults else 0)


def _write_out(ended: Ended, seed: int, folder: Path) -> None:
    """Leave the inputs that met a fault, each as the bytes that somebody would send."""
    trial = ended.campaign
    if not isinstance(trial, Trial):
        return
    for number in ended.findings.numbers[:MOST_KEPT]:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{trial.name.replace(' ', '-')}-{seed}-{number}"
        (folder / name).write_bytes(trial.data_of(trial.input(seed, number)))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

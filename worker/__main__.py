"""Operators' commands: `python -m cutgate.worker run`, `check`, `models …` and `doctor`."""

import json
import socket
import subprocess
import sys
from dataclasses import asdict

import click
import structlog

from cutgate.jobs.answers import is_from
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import logs
from cutgate.jobs.redis_client import connect
from cutgate.jobs.settings import load_settings
from cutgate.worker.commands.bench import LEAST_ROUNDS, ROUNDS, compare, default_setup, report
from cutgate.worker.commands.doctor import examine
from cutgate.worker.commands.models import is_prepared, models
from cutgate.worker.machine.cpu import this_processor
from cutgate.worker.settings import NetworkSettings, WorkerSettings

log = structlog.get_logger("cutgate.worker")


@click.group()
def main() -> None:
    """Commands for the machine that a worker runs on."""


main.add_command(models)


@main.command()
def run() -> None:
    """Do the work of this worker's lanes until a signal says to stop."""
    settings = load_settings(WorkerSettings)
    logs.configure(settings.log_format, settings.log_level)
    # In a process of its own: preparing the graph takes memory that the long-lived parent would never give back.
    if not all(is_prepared(settings.for_choice(choice)) for choice in settings.choices) and (status := _fetched()):
        sys.exit(status)
    from cutgate.worker.process import celery_app as app  # the other commands need no Celery

    sys.exit(app.run(settings))


def _fetched() -> int:
    """Fetch the weights, and say in the log what that says to people; the exit status."""
    command = [sys.executable, "-m", "cutgate.worker", "models", "fetch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.info("weights", progress=line.strip())
    return process.returncode


@main.command()
def check() -> None:
    """Say whether a worker of this machine is ready; exit with 1 if not."""
    settings = load_settings(WorkerSettings)
    client = connect(settings.redis_url.get_secret_value())
    try:
        alive = Ledger(client, settings.ledger_limits()).presence.alive()
    except LedgerUnavailable as error:
        raise click.ClickException(error.message) from None
    if not any(is_from(socket.gethostname(), worker) for worker in alive):
        raise click.ClickException("no worker of this machine is ready")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--bench", is_flag=True, help="Time every engine and precision instead, and recommend one.")
@click.option(
    "--rounds", type=click.IntRange(min=LEAST_ROUNDS), metavar="N", default=ROUNDS, help="Rounds of --bench."
)
def doctor(*, as_json: bool, bench: bool, rounds: int) -> None:
    """Check everything that a worker needs; exit with 1 if something is missing."""
    if bench:
        click.echo(compare_engines(rounds))
        return
    checks = examine()
    well = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            if not check.ok:
                click.echo(f"      {check.remedy}")
    sys.exit(0 if well else 1)


def compare_engines(rounds: int = ROUNDS) -> str:
    """How long the model takes with each engine and precision that this machine can run, for a terminal."""
    settings, processor = load_settings(NetworkSettings), this_processor()
    findings = compare(settings, rounds, lambda line: click.echo(line, err=True))
    return "\n".join(report(findings, default_setup(settings, processor), processor))


if __name__ == "__main__":
    main()

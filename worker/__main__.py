"""Operators' commands: `python -m worker run`, `check`, `models list|fetch`, `doctor` and `finish`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import TypeVar

import click
import structlog
from pydantic_settings import BaseSettings

from jobs import logs
from jobs.errors import LedgerUnavailable
from jobs.presence import is_from
from jobs.settings import WrongSettings, load_settings
from jobs.stores.redis import RedisPresence, connect
from worker.bench import LEAST_ROUNDS, compare, report
from worker.cpu import this_processor
from worker.delivered import finish_command
from worker.doctor import examine
from worker.models.errors import ModelUnavailable
from worker.models.files import ensure_weights, find_weights
from worker.models.plans import plan_for
from worker.models.prepare import prepared_graph
from worker.models.registry import find_model, model_names
from worker.settings import NetworkSettings, WorkerSettings

log = structlog.get_logger("worker")

S = TypeVar("S", bound=BaseSettings)


@click.group()
def main() -> None:
    """Commands for the machine that a worker runs on."""


main.add_command(finish_command)


@main.command()
def run() -> None:
    """Do the work of this worker's lane until a signal says to stop."""
    settings = _settings(WorkerSettings)
    logs.configure(settings.log_format, settings.log_level)
    # In a process of its own: preparing the graph takes memory that the long-lived parent would never give back.
    status = _fetched()
    if status:
        sys.exit(status)
    from worker import app  # the other commands need no Celery

    sys.exit(app.run(settings))


def _fetched() -> int:
    """Fetch the weights, and say in the log what that says to people; the exit status."""
    command = [sys.executable, "-m", "worker", "models", "fetch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.info("weights", progress=line.strip())
    return process.returncode


@main.command()
def check() -> None:
    """Say whether a worker of this machine is ready; exit with 1 if not. For health checks."""
    settings = _settings(WorkerSettings)
    try:
        alive = RedisPresence(connect(settings.redis_url.get_secret_value())).alive()
    except LedgerUnavailable as error:
        raise click.ClickException(error.message) from None
    if not any(is_from(socket.gethostname(), worker) for worker in alive):
        raise click.ClickException("no worker of this machine is ready")


def _settings(kind: type[S]) -> S:
    try:
        return load_settings(kind)
    except WrongSettings as error:
        raise click.ClickException(f"wrong settings\n{error}") from None


@main.group()
def models() -> None:
    """The networks and their weights."""


@models.command("list")
def list_models() -> None:
    """Show the models that need no rembg, and whether their weights are here."""
    settings = _settings(NetworkSettings)
    for name in model_names(settings.models_dir):
        click.echo(f"{name}\t{_state(name, settings)}")


def _state(name: str, settings: NetworkSettings) -> str:
    """Where a model's weights are, or why they are not, and what is known of their licence and origin."""
    try:
        model = find_model(name, settings.models_dir)
    except ModelUnavailable as error:
        return str(error).replace("\n", "; ")
    if model is None:
        return "no longer there"
    row = model.files[0]
    try:
        weights = find_weights(model, settings.models_dir)
        place, row = str(weights.path), weights.row
    except ModelUnavailable as error:
        place = str(error).replace("\n", "; ")
    return f"{place} ({row.licence}; {row.origin})"


@models.command()
@click.argument("name", required=False)
def fetch(name: str | None) -> None:
    """Fetch, check and prepare a model's weights: NAME, or the one that KEYCUT_MODEL names."""
    settings = _settings(NetworkSettings)
    if name is not None:
        settings = settings.model_copy(update={"model": name})
    try:
        model = find_model(settings.model, settings.models_dir, settings.precision)
        if model is None:
            from worker.models.runtime import load_segmenter  # rembg fetches as it loads

            load_segmenter(settings)
            click.echo(f"rembg's {settings.model} is ready")
            return
        weights = ensure_weights(model, settings.models_dir, lambda line: click.echo(line, err=True))
        form, batches = plan_for(settings).form, settings.batch_count() > 1
        prepared_graph(weights, settings.cache_dir, form, batches=batches)
    except ModelUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{weights.path} is ready")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--bench", is_flag=True, help="Time every engine and precision instead, and recommend one.")
@click.option("--rounds", type=click.IntRange(min=LEAST_ROUNDS), default=3, help="Rounds of --bench.")
def doctor(*, as_json: bool, bench: bool, rounds: int) -> None:
    """Check everything that a worker needs; exit with 1 if something is missing."""
    if bench:
        compare_engines(rounds)
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


def compare_engines(rounds: int) -> None:
    """Print how long the model takes with each engine and precision that this machine can run."""
    settings = _settings(NetworkSettings)
    findings = compare(settings, rounds, lambda line: click.echo(line, err=True))
    for line in report(findings, this_processor()):
        click.echo(line)


if __name__ == "__main__":
    main(prog_name="python -m worker")

"""Operators' commands: `python -m worker models list|fetch` and `python -m worker doctor`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

import click
from pydantic import ValidationError

from worker.doctor import examine
from worker.models.errors import ModelUnavailable
from worker.models.files import ensure_weights, find_weights
from worker.models.prepare import prepared_graph
from worker.models.registry import find_model, model_names
from worker.settings import Device, NetworkSettings, setting_problems


@click.group()
def main() -> None:
    """Commands for the machine that a worker runs on."""


@main.group()
def models() -> None:
    """The networks and their weights."""


def _network_settings() -> NetworkSettings:
    try:
        return NetworkSettings()
    except ValidationError as error:
        raise click.ClickException("; ".join(setting_problems(error))) from error


@models.command("list")
def list_models() -> None:
    """Show the models that need no rembg, and whether their weights are here."""
    settings = _network_settings()
    for name in model_names(settings.models_dir):
        click.echo(f"{name}\t{_state(name, settings)}")


def _state(name: str, settings: NetworkSettings) -> str:
    try:
        model = find_model(name, settings.models_dir)
        if model is None:
            return "no longer there"
        weights = find_weights(model, settings.models_dir)
    except ModelUnavailable as error:
        return str(error).replace("\n", "; ")
    return f"{weights.path} ({weights.row.licence}; {weights.row.origin})"


@models.command()
@click.argument("name", required=False)
def fetch(name: str | None) -> None:
    """Fetch, check and prepare a model's weights: NAME, or the one that KEYCUT_MODEL names."""
    settings = _network_settings()
    if name is not None:
        settings = settings.model_copy(update={"model": name})
    try:
        model = find_model(settings.model, settings.models_dir)
        if model is None:
            from worker.models.runtime import load_segmenter  # rembg fetches as it loads

            load_segmenter(settings)
            click.echo(f"rembg's {settings.model} is ready")
            return
        weights = ensure_weights(model, settings.models_dir, lambda line: click.echo(line, err=True))
        prepared_graph(weights, settings.cache_dir, widen=settings.device is Device.CPU)
    except ModelUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{weights.path} is ready")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(*, as_json: bool) -> None:
    """Check everything that a worker needs; exit with 1 if something is missing."""
    checks = examine(os.environ.get("KEYCUT_SECRETS_DIR"))
    well = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
            if not check.ok:
                click.echo(f"      {check.remedy}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main(prog_name="python -m worker")

"""The command `python -m cutgate.gateway status`: how the service is, on one screen."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import click

from cutgate.gateway.commands.console import Cell, as_json_option, opened, show, show_table
from cutgate.gateway.operator.overview import overview
from cutgate.jobs.blobs.choose import open_blob_store

_TABLES: Final = ("alerts", "lanes", "worker_list", "faults", "usage")


@click.command()
@as_json_option
def status(*, as_json: bool) -> None:
    """Show what waits and runs, who works on it, how storage and ledger are, what failed, who used how much."""
    with opened() as parts:
        settings = parts.settings
        opened_blobs = partial(open_blob_store, settings)
        found = overview(parts.ledger, opened_blobs, scales_to_zero=settings.scale_to_zero)
    if as_json:
        click.echo(json.dumps(found))
        return
    last_hour = found.pop("last_hour")
    facts = {name: value for name, value in found.items() if name not in _TABLES}
    show(
        {**facts, "tasks_within_the_hour": "{ended}, of which {failed} failed".format(**last_hour)}, as_json=False
    )
    for title, rows in _tables(found):
        if rows:
            show_table(title, list(rows[0]), [list(row.values()) for row in rows])


def _tables(found: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Cell]]]]:
    yield "Alerts", [{name: row[name] for name in ("severity", "summary", "advice")} for row in found["alerts"]]
    yield "Lanes", found["lanes"]
    yield "Workers", [_worker(row) for row in found["worker_list"]]
    yield "Faults within the hour", found["faults"]
    usage = found["usage"]
    accounts = [
        {name: row[name] for name in ("account", "done", "failed", "credits")} for row in usage["accounts"]
    ]
    yield f"Usage from {usage['from']} to {usage['to']} (UTC)", accounts


def _worker(row: Mapping[str, Any]) -> dict[str, Cell]:
    pictures = [f"{held['task']} {held['phase']} {held['seconds']} s" for held in row["pictures"]]
    lanes = ", ".join(row["lanes"]) if row["alive"] else "silent"
    return {"worker": row["worker"], "lanes": lanes, "pictures": ", ".join(pictures) or None}

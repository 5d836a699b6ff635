"""The command `python -m cutgate.gateway status`: how the service is, on one screen."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Final

import click

from cutgate.gateway.commands.console import Opened, as_json_option, opened, show
from cutgate.gateway.commands.tables import Cell, show_table
from cutgate.jobs.answers import LedgerFigures, WorkerPresence
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import BlobStoreUnavailable, Terminated
from cutgate.jobs.record import Phase
from cutgate.jobs.upkeep.installation import ADOPT, Installation

_FAULTS_SECONDS: Final = 3_600
_FAULTS_AT_MOST: Final = 1_000
"""Tasks that are looked at, of those that failed last."""


@click.command()
@as_json_option
def status(*, as_json: bool) -> None:
    """Show what waits and runs, who works on it, how storage and ledger are, and what failed within an hour."""
    with opened() as parts:
        figures, workers = parts.ledger.figures(), parts.ledger.presence.alive()
        facts, lanes, faults = _facts(parts, figures, workers), _lanes(parts, figures, workers), _faults(parts)
    if as_json:
        click.echo(json.dumps({**facts, "lanes": lanes, "faults": faults}))
        return
    show(facts, as_json=False)
    if lanes:
        show_table("Lanes", list(lanes[0]), [list(row.values()) for row in lanes])
    if faults:
        show_table("Faults within the hour", list(faults[0]), [list(row.values()) for row in faults])


def _facts(parts: Opened, figures: LedgerFigures, workers: Sequence[WorkerPresence]) -> dict[str, object]:
    memory = parts.ledger.server.memory()
    return {
        "waiting": sum(lane.waiting for lane in figures.lanes),
        "running": figures.running,
        "workers": len({worker.owner for worker in workers}),
        "storage": _storage(parts),
        "ledger_memory_percent": round(100 * memory.used_bytes / memory.limit_bytes)
        if memory.limit_bytes
        else None,
        "to_be_deleted": figures.overdue,
        "errands_due": parts.ledger.errands.due(),
    }


def _storage(parts: Opened) -> str:
    try:
        blobs = open_blob_store(parts.settings)
        blobs.check()
        return "works" if Installation(parts.ledger, blobs).is_whole() else f"not the ledger's: {ADOPT}"
    except BlobStoreUnavailable as error:
        return f"away: {error.message}"


def _lanes(parts: Opened, figures: LedgerFigures, workers: Sequence[WorkerPresence]) -> list[dict[str, Cell]]:
    queues = {lane.lane: lane for lane in figures.lanes}
    of_lane = Counter(worker.lane for worker in workers)
    under_way = parts.ledger.claims.under_way()
    return [
        {
            "lane": lane,
            "waiting": queues[lane].waiting if lane in queues else 0,
            "oldest_seconds": round(queues[lane].oldest_seconds) if lane in queues else 0,
            "workers": of_lane[lane],
            **{phase: under_way[lane, phase] for phase in Phase},
        }
        for lane in sorted({*queues, *of_lane})
    ]


def _faults(parts: Opened) -> list[dict[str, Cell]]:
    """By the kind of the error, how many pictures failed, and the last one."""
    since_ms, counts = 1_000 * (time.time() - _FAULTS_SECONDS), Counter[str]()
    last: dict[str, dict[str, Cell]] = {}
    for task in islice(parts.ledger.tasks.stored("failed", since_ms), _FAULTS_AT_MOST):
        for item in task.items:
            if item.error is not None and item.error.kind != Terminated.kind:
                counts[item.error.kind] += 1
                fact: dict[str, Cell] = {
                    "last_task": task.uid,
                    "account": task.account,
                    "message": item.error.message,
                }
                last.setdefault(item.error.kind, fact)
    return [{"kind": kind, "pictures": count, **last[kind]} for kind, count in counts.most_common()]

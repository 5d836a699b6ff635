"""How the service is at one moment, as values of JSON: what `status` prints, and the operator's page shows."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from cutgate.gateway.operator.alerts import alerts
from cutgate.jobs.answers import LaneFigures, Usage, WorkerPresence
from cutgate.jobs.errors import BlobStoreUnavailable, Terminated
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import Phase
from cutgate.jobs.upkeep.installation import ADOPT, Installation

Row = dict[str, str | int | None]
Held = dict[str, Any]
"""A picture that a worker has."""
_HOUR_SECONDS: Final = 3_600
_FAULTS_AT_MOST: Final = 1_000
"""Tasks that are looked at, of those that failed last."""
_DAYS: Final = 7
_ACCOUNTS_AT_MOST: Final = 50
"""Accounts that are shown, of those with most pictures."""


def iso_time(seconds: float) -> str:
    """Unix time as operators read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def overview(ledger: Ledger, open_blobs: Callable[[], BlobStore], *, scales_to_zero: bool) -> dict[str, Any]:
    """What waits and runs, who works on it, what failed within the hour, who used how much, and what to do.

    With `scales_to_zero` workers may be missing while nothing waits.

    Raises:
        LedgerUnavailable: the ledger does not answer.
    """
    figures, alive, under_way = ledger.figures(), ledger.presence.alive(), ledger.claims.under_way()
    memory, (faults, failed) = ledger.server.memory(), _faults(ledger)
    facts = {
        "at": iso_time(time.time()),
        "waiting": sum(lane.waiting for lane in figures.lanes),
        "running": figures.running,
        "workers": len({worker.owner for worker in alive}),
        "storage": _storage(ledger, open_blobs),
        "ledger_memory_percent": round(100 * memory.used_bytes / memory.limit_bytes)
        if memory.limit_bytes
        else None,
        "to_be_deleted": figures.overdue,
        "errands_due": ledger.errands.due(),
        "last_hour": {"ended": ledger.tasks.ended_since(_an_hour_ago_ms()), "failed": failed},
        "lanes": _lanes(figures.lanes, alive, under_way),
        "worker_list": _workers(alive, under_way),
        "faults": faults,
        "usage": _usage(ledger),
    }
    found = alerts({**facts, "scales_to_zero": scales_to_zero})
    return {**facts, "alerts": [asdict(alert) for alert in found]}


def usage_document(first: date, last: date, found: Mapping[str, Mapping[date, Usage]]) -> dict[str, Any]:
    """Who used how much between two days, which are included."""
    accounts = [
        {
            "account": name,
            **asdict(sum(days.values(), Usage())),
            "days": [{"day": day.isoformat(), **asdict(used)} for day, used in days.items()],
        }
        for name, days in found.items()
    ]
    total = sum((used for days in found.values() for used in days.values()), Usage())
    return {"from": first.isoformat(), "to": last.isoformat(), **asdict(total), "accounts": accounts}


def _usage(ledger: Ledger) -> dict[str, Any]:
    """The last days, of the accounts with most pictures; the sums are those of all."""
    last = datetime.now(UTC).date()
    first = last - timedelta(days=_DAYS - 1)
    document = usage_document(first, last, ledger.accounts.usage(first, last))
    rows = sorted(document["accounts"], key=lambda row: (-row["done"] - row["failed"], row["account"]))
    return {**document, "accounts_in_all": len(rows), "accounts": rows[:_ACCOUNTS_AT_MOST]}


def _storage(ledger: Ledger, open_blobs: Callable[[], BlobStore]) -> str:
    try:
        blobs = open_blobs()
        blobs.check()
        return "works" if Installation(ledger, blobs).is_whole() else f"not the ledger's: {ADOPT}"
    except BlobStoreUnavailable as error:
        return f"away: {error.message}"


def _lanes(
    figures: Sequence[LaneFigures], alive: Sequence[WorkerPresence], under_way: Sequence[Held]
) -> list[Row]:
    queues = {lane.lane: lane for lane in figures}
    of_lane = Counter(worker.lane for worker in alive)
    phases = Counter((item["lane"], item["phase"]) for item in under_way)
    return [
        {
            "lane": lane,
            "waiting": queues[lane].waiting if lane in queues else 0,
            "oldest_seconds": round(queues[lane].oldest_seconds) if lane in queues else 0,
            "workers": of_lane[lane],
            **{phase.value: phases[lane, phase.value] for phase in Phase},
        }
        for lane in sorted({*queues, *of_lane})
    ]


def _workers(alive: Sequence[WorkerPresence], under_way: Sequence[Held]) -> list[dict[str, Any]]:
    """Each worker with its lanes, and the pictures that it has; a silent one that has some is among them."""
    offers, held = defaultdict[str, list[WorkerPresence]](list), defaultdict[str, list[Held]](list)
    for worker in alive:
        offers[worker.owner].append(worker)
    for item in under_way:
        held[item["worker"]].append({name: value for name, value in item.items() if name != "worker"})
    return [
        {
            "worker": owner,
            "alive": owner in offers,
            "lanes": [offer.lane for offer in offers[owner]],
            "engines": sorted({f"{offer.engine}, {offer.provider}, {offer.dtype}" for offer in offers[owner]}),
            "pictures": held[owner],
        }
        for owner in sorted({*offers, *held})
    ]


def _an_hour_ago_ms() -> float:
    return 1_000 * (time.time() - _HOUR_SECONDS)


def _faults(ledger: Ledger) -> tuple[list[Row], int]:
    """By the kind of the error how many pictures failed, with the last one; and how many tasks they are of."""
    counts, last, tasks = Counter[str](), dict[str, Row](), 0
    for task in islice(ledger.tasks.stored("failed", _an_hour_ago_ms()), _FAULTS_AT_MOST):
        errors = [item.error for item in task.items if item.error and item.error.kind != Terminated.kind]
        tasks += bool(errors)
        for error in errors:
            counts[error.kind] += 1
            fact: Row = {"last_task": task.uid, "account": task.account, "message": error.message}
            last.setdefault(error.kind, fact)
    rows: list[Row] = [{"kind": kind, "pictures": count, **last[kind]} for kind, count in counts.most_common()]
    return rows, tasks

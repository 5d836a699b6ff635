"""What became of a task and its pictures, as values of JSON."""

from typing import Any

from cutgate.gateway.operator.overview import iso_time
from cutgate.jobs.ids import parse_task_uid
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.record import ItemState, Task


def find_task(ledger: Ledger, uid: str) -> Task | None:
    """A task of any account; None where there is none, or the id is none."""
    try:
        return next(ledger.tasks.find([parse_task_uid(uid)]), None)
    except ValueError:
        return None


def task_facts(task: Task) -> dict[str, Any]:
    """A task in a few words."""
    ended_at_ms = task.ended_at_ms
    return {
        "task": task.uid,
        "account": task.account,
        "origin": task.origin,
        "state": task.status,
        "made_at": iso_time(task.created_at_ms / 1_000),
        "ended_at": None if ended_at_ms is None else iso_time(ended_at_ms / 1_000),
        "pictures": len(task.items),
        "failed": sum(item.state is ItemState.FAILED for item in task.items),
        "kinds": error_kinds(task),
        "charged": task.booked,
        "retries": task.retries,
    }


def task_history(ledger: Ledger, task: Task) -> dict[str, Any]:
    """A task with its pictures: who worked on them, how far, and how that ended."""
    items: list[dict[str, Any]] = [
        {
            "picture": item.index,
            "state": item.state,
            "attempts": item.attempts,
            "price": item.price,
            "error": item.error and f"{item.error.kind}: {item.error.message}",
            "result": item.result and str(item.result.blob),
            **trail,
        }
        for item, trail in zip(task.items, ledger.tasks.trails(task), strict=True)
    ]
    return {**task_facts(task), "items": items}


def error_kinds(task: Task) -> list[str]:
    """The kinds of errors with which its pictures failed."""
    return sorted({item.error.kind for item in task.items if item.error is not None})

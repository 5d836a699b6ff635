"""The commands under `python -m cutgate.gateway tasks`: what became of tasks, and retries."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import islice
from typing import Any, Final

import click

from cutgate.gateway.accounts.records import AccountError
from cutgate.gateway.accounts.tables import CREDENTIALS
from cutgate.gateway.commands.console import Opened, as_json_option, opened, show, show_table
from cutgate.gateway.operator.history import error_kinds, find_task, task_facts, task_history
from cutgate.gateway.operator.overview import iso_time
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import NOT_THE_PICTURES, BlobMissing, InsufficientCredits, SubmissionRefused
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import ItemState, Task, TaskStatus

_AGE: Final = re.compile(r"(\d+)([smhd])")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_INDEXES: Final[Mapping[str | None, str]] = {
    TaskStatus.QUEUING: "open",
    TaskStatus.RUNNING: "open",
    TaskStatus.FINISHED: "ended",
    TaskStatus.ERROR: "failed",
}
"""Where tasks in a state are found."""


def _since(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """An age or a time, as milliseconds since the epoch."""
    if text is None:
        return None
    age = _AGE.fullmatch(text)
    try:
        then = (
            time.time() - int(age[1]) * _UNIT_SECONDS[age[2]] if age else datetime.fromisoformat(text).timestamp()
        )
    except ValueError:
        raise click.BadParameter("use an age such as 30m, 2h or 7d, or a time such as 2026-11-23T09:00") from None
    return 1_000 * then


account_option = click.option("--account", help="Only this account's: its name, or one of its public keys.")
since_option = click.option(
    "--since",
    "since_ms",
    callback=_since,
    metavar="AGE|TIME",
    help="Only those that ended, or are open and were made, since.",
)


@click.group()
def tasks() -> None:
    """See what became of tasks; retry or cancel them."""


@tasks.command("list")
@click.option("--state", type=click.Choice(list(map(str, TaskStatus))), help="Only those that are so.")
@click.option("--kind", help="Only those of which a picture failed with this kind of error.")
@account_option
@since_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most that are shown."
)
@click.option("--oldest-first", is_flag=True, help="The newest come first otherwise.")
@as_json_option
def list_(kind: str | None, limit: int, *, as_json: bool, **filters: Any) -> None:
    """List tasks of all accounts: those that are open, by when they were made, and those that ended, by that."""
    with opened() as parts:
        found = list(islice(_found(parts, kinds={kind}, **filters), limit))
    _show_list(found, as_json=as_json)


@tasks.command("show")
@click.argument("uid", metavar="TASK")
@as_json_option
def show_(uid: str, *, as_json: bool) -> None:
    """Show a task and the history of its pictures: who worked on them, how far, and how that ended."""
    with opened() as parts:
        task = _task(parts, uid)
        history = task_history(parts.ledger, task)
    if as_json:
        click.echo(json.dumps(history))
        return
    items = history.pop("items")
    show(_printed(history), as_json=False)
    for item in items:
        holds = item.pop("history")
        click.echo()
        show(item, as_json=False)
        if holds:
            rows = [
                [iso_time(hold.pop("claimed_at_ms") / 1_000), f"{hold.pop('held_ms') / 1_000:.1f}", *hold.values()]
                for hold in holds
            ]
            show_table("Claims that are over", ("claimed at", "seconds", "phase", "end", "worker"), rows)


@tasks.command()
@click.argument("uids", metavar="[TASK]...", nargs=-1)
@click.option("--kind", type=click.Choice(sorted(NOT_THE_PICTURES)), help="All with a picture that failed so.")
@account_option
@since_option
@click.option("--yes", is_flag=True, help="Retry all that are found; without it they are only listed.")
@as_json_option
def retry(uids: tuple[str, ...], kind: str | None, *, yes: bool, as_json: bool, **filters: Any) -> None:
    """Have pictures wait again that failed through no fault of their own, of these tasks or of all that are found.

    The price is reserved anew, and charged once they are done. Callers that ask see the task queuing again.
    """
    if bool(uids) == any([kind, *filters.values()]):
        raise click.UsageError("name tasks, or say which by --kind, --account or --since")
    with opened() as parts:
        if not uids:
            found = list(_found(parts, kinds={kind} if kind else NOT_THE_PICTURES, **filters))
            if not yes:
                _show_list(found, as_json=as_json)
                click.echo(f"{len(found)} tasks would be retried: add --yes", err=True)
                return
            uids = tuple(task.uid for task in found)
        blobs = open_blob_store(parts.settings)
        _each(uids, lambda uid: _retry(parts, blobs, uid), as_json=as_json)


@tasks.command()
@click.argument("uids", metavar="TASK...", nargs=-1, required=True)
@as_json_option
def cancel(uids: tuple[str, ...], *, as_json: bool) -> None:
    """End what waits or runs of tasks, as if their callers had terminated them. Nothing more is charged."""
    with opened() as parts:
        _each(uids, lambda uid: _cancel(parts, uid), as_json=as_json)


def _retry(parts: Opened, blobs: BlobStore, uid: str) -> str:
    task = _task(parts, uid)
    for item, trail in zip(task.items, parts.ledger.tasks.trails(task), strict=True):
        for blob in (trail["source"], trail["background"]):
            if blob and item.state is ItemState.FAILED:
                blobs.open(BlobKey.parse(blob)).close()
    count = parts.ledger.tasks.retry(task, parts.accounts.record(task.account).terms.caps)
    if not count:
        failed = ", ".join(error_kinds(task))
        reason = f"failed with {failed}, and are not kept: their caller has to send others"
        raise click.ClickException(f"nothing to retry: its pictures {reason if failed else 'have not failed'}")
    return "1 picture waits again" if count == 1 else f"{count} pictures wait again"


def _cancel(parts: Opened, uid: str) -> str:
    task = _task(parts, uid)
    if task.ended_at_ms is not None:
        raise click.ClickException(f"it has ended already: {task.status}")
    parts.ledger.tasks.terminate(task.uid, task.account)
    return "cancelled"


def _each(uids: Iterable[str], act: Callable[[str], str], *, as_json: bool) -> None:
    """Do something with each of several tasks; where it cannot be done with one, the command exits with 1."""
    outcomes: list[dict[str, object]] = []
    for uid in uids:
        ok = False
        try:
            outcome, ok = act(uid), True
        except BlobMissing:
            outcome = (
                "its pictures are not in the storage any more: restore them, or have the caller send them again"
            )
        except InsufficientCredits as error:
            outcome = f"{error.message}: grant some with `keys credits`"
        except (click.ClickException, AccountError, SubmissionRefused) as error:
            outcome = str(error)
        outcomes.append({"task": uid, "ok": ok, "outcome": outcome})
        if not as_json:
            click.echo(f"{uid}: {outcome}", err=not ok)
    if as_json:
        click.echo(json.dumps(outcomes))
    if not all(outcome["ok"] for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _found(
    parts: Opened,
    *,
    kinds: AbstractSet[str | None],
    account: str | None,
    since_ms: float | None,
    state: str | None = None,
    oldest_first: bool = True,
) -> Iterator[Task]:
    """Tasks that all filters let through, in order."""
    if account is not None:
        key = parts.accounts.table.get(CREDENTIALS, account)
        account = account if key is None else key.account
        parts.accounts.record(account)  # a misspelt name is told
    index = _INDEXES.get(state) if None in kinds else "failed"
    indexes = [index] if index else ["open", "ended"][:: -1 if oldest_first else 1]
    for name in indexes:
        for task in parts.ledger.tasks.stored(name, since_ms or 0, oldest_first=oldest_first):
            is_kind = not kinds.isdisjoint([None, *error_kinds(task)])
            if is_kind and state in {None, task.status} and account in {None, task.account}:
                yield task


def _task(parts: Opened, uid: str) -> Task:
    task = find_task(parts.ledger, uid)
    if task is None:
        raise click.ClickException("there is no such task: `tasks list` has those that there are")
    return task


def _show_list(found: Iterable[Task], *, as_json: bool) -> None:
    rows = list(map(task_facts, found))
    if as_json:
        click.echo(json.dumps(rows))
        return
    columns = ("task", "account", "state", "made_at", "ended_at", "pictures", "failed", "kinds")
    show_table(f"{len(rows)} tasks", columns, [[_printed(row)[name] for name in columns] for row in rows])


def _printed(row: Mapping[str, Any]) -> dict[str, Any]:
    """For people, who read no lists of JSON."""
    return {**row, "kinds": ", ".join(row["kinds"]) or None}

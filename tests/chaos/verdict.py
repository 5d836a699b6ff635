"""Whether every promise was kept, from the ledger, the blob store and the server's own history."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Final

from redis import Redis

from cutgate.jobs.blobs.file import INSTALLATION_NAME, FileBlobStore
from cutgate.jobs.errors import BlobMissing, CutoutError, PipelineFailed, TimedOut, WorkerLost
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.keys import KEY_PREFIX, item_name
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Item, Task
from cutgate.jobs.upkeep.retention import Sweeper
from tests.chaos.history import ItemHistory, next_end_seconds, read_history
from tests.chaos.pictures import Effect, Picture

_OF_OPEN_ITEMS: Final = ("lane", "turns", "waiting", "queued", "leases", "claims", "unfinished")
"""Kinds of keys that are gone when nothing waits or runs."""
_ENDS: Final[Mapping[Effect, type[CutoutError] | None]] = {
    Effect.NONE: None,
    Effect.POISON: WorkerLost,
    Effect.HANG: TimedOut,
    Effect.RAISE: PipelineFailed,
}
"""How a picture ends: with a result, or with the error."""


_PROBE_SECONDS: Final = 1.0
"""How long a part that looks whether the storage can be written to may keep the file that it writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found. All but `jobs`, `faults` and the times should be nothing."""

    jobs: int
    faults: int
    lost: tuple[str, ...]
    """Accepted, and not there, not ended, or ended otherwise than the picture should."""
    unasked: int
    """Tasks that nobody asked for: a repeat was taken for a request of its own."""
    finished_twice: tuple[str, ...]
    charged_wrong_credits: int
    """Off what was right: used, reserved, and what the usage by day says, together."""
    wrong_results: tuple[str, ...]
    """Not readable, or another picture's."""
    still_open: tuple[str, ...]
    """Keys of the ledger that speak of open items."""
    lost_with_master: int
    """Changes that a master had not passed on when it was killed; no promise is made of those."""
    orphans: tuple[str, ...]
    """Files and records that outlive their retention."""
    rerun_seconds: tuple[float, ...]
    """From each claim that came to nothing to the next claim of the item."""
    next_end_seconds: tuple[float, ...]
    """From each fault to the next item that ended."""

    @property
    def broken(self) -> dict[str, object]:
        """The promises that were not kept, by name."""
        promises = ("lost", "unasked", "finished_twice", "charged_wrong_credits", "wrong_results", "still_open")
        return {name: value for name in (*promises, "orphans") if (value := getattr(self, name))}

    def row(self) -> tuple[str, ...]:
        """The report's columns after the scenario."""
        reruns, waits = self.rerun_seconds, self.next_end_seconds
        return (
            str(self.jobs),
            str(self.faults),
            str(len(self.lost) + self.unasked),
            str(len(self.finished_twice)),
            str(self.charged_wrong_credits),
            str(len(self.wrong_results)),
            str(len(self.orphans) + len(self.still_open)),
            str(self.lost_with_master),
            str(len(reruns)),
            f"{median(reruns):.1f} / {max(reruns):.1f} s" if reruns else "",
            f"{median(waits):.1f} / {max(waits):.1f} s" if waits else "",
        )


HEADINGS: Final = (
    "Scenario",
    "Jobs",
    "Faults",
    "Lost",
    "Finished twice",
    "Credits charged wrong",
    "Wrong results",
    "Orphans",
    "Changes not passed on",
    "Reruns",
    "Claim to rerun, median / max",
    "Fault to next result, median / max",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a service keeps what it knows."""

    client: Redis
    redis_dirs: tuple[Path, ...]
    """As `read_history` takes them."""
    blob_dir: Path
    limits: LedgerLimits


def judge(
    service: Evidence,
    account: str,
    accepted: Mapping[TaskUid, Picture],
    refused: int,
    faults_ms: Sequence[int],
    *,
    grace_seconds: float = 1,
) -> Verdict:
    """Look at everything that an account's jobs left, sweep, and look again."""
    ledger = Ledger(service.client, service.limits)
    uids = _tasks_of(service, account)
    tasks = {uid: ledger.tasks.get(uid, account) for uid in uids}
    histories = read_history(*service.redis_dirs)
    asked = {uid: histories[item_name(uid, 0)] for uid in (*uids, *accepted)}
    mine = {name: histories[name] for uid in uids for name in [item_name(uid, 0)]}
    # What is swept once nothing is open is what was left lying about; no result may go with it.
    time.sleep(grace_seconds)
    _sweep(service, ledger, grace_seconds)
    return Verdict(
        jobs=len(uids),
        faults=len(faults_ms),
        lost=tuple(
            uid
            for uid, picture in accepted.items()
            if not (asked[uid].is_forgotten or _ended_right(tasks.get(uid), picture, asked[uid]))
        ),
        lost_with_master=sum(item.lost_with_master for item in asked.values()),
        unasked=max(0, len(set(tasks) - set(accepted)) - refused),
        finished_twice=tuple(name for name, item in mine.items() if item.end_count > 1),
        charged_wrong_credits=_charged_wrong(ledger, account, tasks),
        wrong_results=tuple(
            uid for uid, picture in accepted.items() if _is_wrong(service, tasks.get(uid), picture)
        ),
        still_open=still_open(service.client),
        orphans=_left_after_retention(service, grace_seconds),
        rerun_seconds=tuple(gap / 1000 for item in mine.values() for gap in item.reruns_ms),
        next_end_seconds=tuple(next_end_seconds(mine.values(), faults_ms)),
    )


def _sweep(service: Evidence, ledger: Ledger, grace_seconds: float) -> None:
    sweeper = Sweeper(ledger, FileBlobStore(service.blob_dir), orphan_grace_seconds=grace_seconds)
    sweeper.sweep()
    sweeper.sweep_orphans(however_many=True)


def _tasks_of(service: Evidence, account: str) -> list[TaskUid]:
    names = service.client.scan_iter(match=f"{KEY_PREFIX}task:*", count=1000)
    return [TaskUid(name.rpartition(":")[2]) for name in names if service.client.hget(name, "account") == account]


def _item(task: Task) -> Item:
    [item] = task.items
    return item


def _ended_right(task: Task | None, picture: Picture, history: ItemHistory) -> bool:
    if task is None or task.ended_at_ms is None:
        return False
    error, right = _item(task).error, _ENDS[picture.effect]
    if error and error.kind == BlobMissing.kind and history.lost_with_master:
        return True  # it ended after the copy that the server went back to, and its source was deleted since
    return (error and error.kind) == (right and right.kind)


def _charged_wrong(ledger: Ledger, account: str, tasks: Mapping[TaskUid, Task | None]) -> int:
    balance = ledger.accounts.balance(account)
    assert balance is not None
    due = sum(item.price for task in tasks.values() if task and (item := _item(task)).result)
    usage = ledger.accounts.usage(date.min, date.max).get(account, {})
    counted = sum(day.credits for day in usage.values())
    return abs(balance.used - due) + balance.reserved + abs(balance.used - counted)


def _is_wrong(service: Evidence, task: Task | None, picture: Picture) -> bool:
    """Whether a result that should be there is not, or is not the picture's."""
    result = task and _item(task).result
    if not result:
        return False  # lost, or rightly without one
    try:
        return not picture.fits(FileBlobStore(service.blob_dir).get(result.blob))
    except CutoutError:
        return True


def still_open(client: Redis, key_prefix: str = KEY_PREFIX) -> tuple[str, ...]:
    """The ledger's keys that speak of items that wait or run: none, once all have ended."""
    names = [f"{key_prefix}{kind}" for kind in _OF_OPEN_ITEMS]
    found = [str(key) for name in names for key in client.scan_iter(match=f"{name}:*", count=1000)]
    found += [name for name in names if client.exists(name)]
    open_count = client.hget(f"{key_prefix}totals", "open")
    # A server that never had a task has no count.
    return (*found, *([] if open_count in {None, "0"} else [f"open: {open_count!r}"]))


def _left_after_retention(service: Evidence, grace_seconds: float) -> tuple[str, ...]:
    """Sweep as if all retention were over; what is there after that would be there for ever."""
    _sweep(
        service,
        Ledger(service.client, LedgerLimits(retention_seconds=0.001, upload_retention_seconds=0.001)),
        grace_seconds,
    )
    found = [path for path in service.blob_dir.rglob("*") if path.is_file() and path.name != INSTALLATION_NAME]
    if found:
        time.sleep(_PROBE_SECONDS)
    files = [str(path.relative_to(service.blob_dir)) for path in found if path.exists()]
    records = [
        name
        for kind in ("task", "item", "errand", "upload")
        for name in service.client.scan_iter(match=f"{KEY_PREFIX}{kind}:*", count=1000)
    ]
    return (*files, *records)

"""Use case: how tasks stand, and where their results can be fetched. Knows no protocol and no HTTP."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cutgate.gateway.accounts.rates import Entry
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import Result, Task
from cutgate.jobs.urls import ResultPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Looks tasks up together with their account, so that a guessed id shows nothing.

    Every method raises `LedgerUnavailable` when the ledger does not answer.
    """

    store: Ledger
    paths: ResultPaths
    retention_seconds: float
    """How long a task and its results are shown after its end."""

    def find(self, account: str, uids: Sequence[TaskUid], entry: Entry | None = None) -> tuple[Task | None, ...]:
        """Each task as it stands, in the order of `uids`, those that have not ended without their items.

        None stands for a task that is unknown, another account's, or older than the retention. `entry` is the
        request where it is still to be counted; what `Entry.answered` raises then comes from here.
        """
        if entry is None:
            return self.store.tasks.get_many(uids, account)
        outlook, found = self.store.tasks.poll(uids, account, use=entry.use, key=entry.key)
        entry.answered(outlook)
        return found

    def find_ended(self, account: str, uids: Sequence[TaskUid]) -> Mapping[TaskUid, Task | None]:
        """Those of the tasks that have ended, as they stand; None for one that is not there.

        Asking first which these are costs far less than to find them all.
        """
        ended = self.store.tasks.ended(uids, account)
        return dict(zip(ended, self.find(account, ended), strict=True))

    def named(self, account: str, key: str, entry: Entry) -> Task | None:
        """The task that an idempotency key names, whatever its content; None when none can be seen.

        Counts the request, and raises what `Entry.answered` raises.
        """
        outlook, task = self.store.tasks.poll_named(key, account, use=entry.use, key=entry.key)
        entry.answered(outlook)
        return task

    def result_path(
        self,
        task: Task,
        result: Result,
        ttl_seconds: float | None = None,
        *,
        kept_seconds: float | None = None,
    ) -> str:
        """The path of a result: the same in every call, and good for as long as the result is kept.

        Args:
            task: whose result it is.
            result: of one of its items.
            ttl_seconds: how long after the task's end the path is to be good, where that is less.
            kept_seconds: how long after the task's end the result is kept, where it is an upload.
        """
        if task.ended_at_ms is None:
            raise ValueError("a task that has not ended has no results")
        kept_seconds = self.retention_seconds if kept_seconds is None else kept_seconds
        good_seconds = min(kept_seconds, math.inf if ttl_seconds is None else ttl_seconds)
        return self.paths.path(result, math.floor(task.ended_at_ms / 1_000 + good_seconds))

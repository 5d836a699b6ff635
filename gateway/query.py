"""Use case: how tasks stand, and where their results can be fetched. Knows no protocol and no HTTP."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.ids import TaskUid
from jobs.record import Result, Task
from jobs.store import LedgerStore
from jobs.urls import ResultPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """Looks tasks up together with their account, so that a guessed id shows nothing."""

    store: LedgerStore
    paths: ResultPaths
    retention_seconds: float
    """How long a task and its results are shown after its end."""
    clock: Callable[[], float] = time.time
    """Unix time in seconds."""

    def find(self, account: str, uids: Sequence[TaskUid]) -> tuple[Task | None, ...]:
        """Each task as it stands, in the order of `uids`.

        None stands for a task that is unknown, another account's, or older than the retention.

        Raises:
            LedgerUnavailable: the ledger does not answer.
        """
        return tuple(self._shown(self.store.get(uid, account)) for uid in uids)

    def result_path(self, task: Task, result: Result) -> str:
        """The path of a result: the same in every call, and good for as long as the result is kept."""
        return self.paths.path(result, self._expires_at_seconds(task))

    def _shown(self, task: Task | None) -> Task | None:
        if task is None or task.ended_at_ms is None or self._expires_at_seconds(task) > self.clock():
            return task
        return None

    def _expires_at_seconds(self, task: Task) -> int:
        if task.ended_at_ms is None:
            raise ValueError("a task that has not ended has no results")
        return math.floor(task.ended_at_ms / 1_000 + self.retention_seconds)

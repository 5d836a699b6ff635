"""Upkeep of the ledger in Redis or Valkey. `cutgate.jobs.ledger.keys` lists the keys."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoPermissionError

from cutgate.jobs.errors import LedgerUnavailable, TimedOut, WorkerLost
from cutgate.jobs.ids import BlobKey, TaskUid, made_at_seconds, new_token
from cutgate.jobs.ledger.answers import Reaped
from cutgate.jobs.ledger.encoding import encode_error, milliseconds
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.redis.client import Json, Scripts, ledger_errors, no_offset
from cutgate.jobs.ledger.redis.server import ServerFacts
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.spec import Lane

BATCH: Final = 200
"""The most items of one kind, or tasks, that one call takes on: a call must stay short."""
CALL_MEMORY_SECONDS: Final = 60
"""How long a call's answer is remembered: far longer than a client goes on repeating it."""
_TOO_SLOW: Final = TimedOut("the picture took longer than the service allows").facts()
_TOO_LATE: Final = TimedOut("the picture waited longer than the service allows").facts()


class RedisUpkeep:
    """The part of the Redis ledger that no caller waits for, and what all of its moves need."""

    def __init__(
        self,
        client: Redis,
        limits: LedgerLimits,
        *,
        key_prefix: str = KEY_PREFIX,
        clock_offset_ms: Callable[[], int] = no_offset,
    ) -> None:
        """Use a server.

        Args:
            client: from `connect`.
            limits: what the moves keep to; the same in every process.
            key_prefix: of every key; its hash tag keeps them in one slot of a cluster.
            clock_offset_ms: added to the server's clock; 0 outside tests.
        """
        self._client = client
        self._limits = limits
        self._retention_ms = milliseconds(limits.retention_seconds)
        self._source_ms = milliseconds(limits.source_seconds)
        self._upload_retention_ms = milliseconds(limits.upload_retention_seconds)
        self._prefix = key_prefix
        self._known_server: str | None = None
        self._scripts = Scripts(client, key_prefix, clock_offset_ms)

    def require_fit_server(self) -> None:
        """Make sure that the server can hold a ledger, unless it is the one that was looked at last.

        Raises:
            ServerUnfit: it cannot.
        """
        run_id = self._run_id()
        if run_id != self._known_server:
            facts = ServerFacts.of(self._client)
            self._known_server = run_id
            facts.require_fit()
            facts.warn()

    def installation(self) -> str | None:
        """The id of the installation that the ledger is of; None while it has none."""
        with ledger_errors():
            found = self._client.get(f"{self._prefix}installation")
        return None if found is None else str(found)

    def install(self, installation: str) -> str:
        """Give the ledger an id unless it has one; answers the one that then stands."""
        with ledger_errors():
            self._client.setnx(f"{self._prefix}installation", installation)
        return self.installation() or installation

    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that an item ever waited in, in order."""
        with ledger_errors():
            lanes = self._client.smembers(f"{self._prefix}lanes")
        return tuple(Lane(lane) for lane in sorted(map(str, lanes)))

    def lead(self, sweep: str, holder: str, hold_seconds: float) -> float:
        """Lead a sweep, which then no other process does, until `hold_seconds` after the last call.

        Args:
            sweep: its name.
            holder: this process's own token.
            hold_seconds: how long a leader that has fallen silent keeps the others away.

        Returns:
            0 to the leader; to the others the seconds until they may ask again.
        """
        wait_ms: int = self._scripts.run("lead", sweep=sweep, holder=holder, hold_ms=milliseconds(hold_seconds))
        return wait_ms / 1_000

    def reap(self) -> Reaped:
        """Take back what lost workers hold, fail what is over its time, and send the hints that are missing.

        A lapsed lease counts as an attempt, except within one lease of a restart of the server: then it is
        renewed, for it lapsed while nobody could renew it. Hints are missing where an item has waited for a
        while, and no worker has been told and has still to come.
        """
        answer = self._run_once(
            "reap",
            run_id=self._run_id(),
            lease_ms=milliseconds(self._limits.lease_seconds),
            queue_timeout_ms=milliseconds(self._limits.queue_timeout_seconds),
            hint_grace_ms=milliseconds(self._limits.hint_grace_seconds),
            too_late=encode_error(_TOO_LATE),
            batch=BATCH,
            **self._endings(),
        )
        renewed, requeued, lost, too_slow, too_late, hints = answer
        return Reaped(
            renewed=renewed,
            requeued=requeued,
            worker_lost=lost,
            too_slow=too_slow,
            too_late=too_late,
            hints=_by_lane(hints),
        )

    def _run_id(self) -> str:
        """Of the server as it runs now; empty where it does not say."""
        try:
            with ledger_errors():
                run_id: str = self._client.info("server")["run_id"]
        except LedgerUnavailable as error:
            if isinstance(error.__cause__, NoPermissionError):
                return ""
            raise
        return run_id

    def spent(self) -> tuple[BlobKey, ...]:
        """Sources that may be deleted, at most `BATCH`; they are named until `forget_spent`."""
        return tuple(map(BlobKey.parse, self._scripts.run("spent", batch=BATCH)))

    def forget_spent(self, sources: Sequence[BlobKey]) -> None:
        """Note that sources are deleted."""
        if sources:
            self._scripts.run("forget_spent", sources=[str(source) for source in sources])

    def hide_expired(self) -> tuple[TaskUid, ...]:
        """Mark tasks and uploads past their retention as gone for every reader, and name them.

        They are at most `BATCH` of each, and named again and again until they are forgotten: their blobs go in
        between.
        """
        uids = self._scripts.run(
            "hide_expired",
            retention_ms=self._retention_ms,
            upload_retention_ms=self._upload_retention_ms,
            batch=BATCH,
        )
        return tuple(map(TaskUid, uids))

    def defer(self, uids: Sequence[TaskUid], seconds: float) -> None:
        """Have `hide_expired` name these again only later, since their blobs cannot be deleted now."""
        if uids:
            self._scripts.run(
                "defer",
                uids=list(uids),
                delay_ms=milliseconds(seconds),
                retention_ms=self._retention_ms,
                upload_retention_ms=self._upload_retention_ms,
            )

    def forget(self, uid: TaskUid) -> None:
        """Delete the record of a task or an upload that `hide_expired` named; no other's."""
        self._scripts.run("forget", uid=uid)

    def unrecorded(self, uids: Sequence[TaskUid], older_than_seconds: float) -> tuple[TaskUid, ...]:
        """Those of the ids that have no record and were made so long ago; what is hidden has one."""
        tasks: list[Json] = [{"uid": uid, "made_at_ms": milliseconds(made_at_seconds(uid))} for uid in uids]
        found = self._scripts.run("unrecorded", tasks=tasks, min_age_ms=milliseconds(older_than_seconds))
        return tuple(map(TaskUid, found))

    def count_uploads(self) -> int:
        """Mend the counts of uploads that are not those of the records, and say of how many accounts they were."""
        with ledger_errors():
            accounts = sorted(map(str, self._client.smembers(f"{self._prefix}uploaders")))
        return sum(self._scripts.run("count_uploads", account=account) != [0, 0] for account in accounts)

    def forget_usage(self) -> int:
        """Delete accounts' usage past its retention, and say of how many accounts it was, at most `BATCH`."""
        retention_ms = milliseconds(self._limits.usage_retention_seconds)
        count: int = self._scripts.run("forget_usage", retention_ms=retention_ms, batch=BATCH)
        return count

    def _run_once(self, script: str, **arguments: Json) -> Any:
        """Run a script that remembers its answer for a repeat, because its arguments alone do not tell one."""
        memory_ms = milliseconds(CALL_MEMORY_SECONDS)
        return self._scripts.run(script, call=new_token(), memory_ms=memory_ms, **arguments)

    def _endings(self) -> dict[str, Json]:
        """When an item that was taken back is not tried again, and why it then fails."""
        attempts = self._limits.max_attempts
        lost = WorkerLost(f"the picture's worker died in each of {attempts} attempts", attempts=attempts)
        return {
            "max_attempts": attempts,
            "worker_lost": encode_error(lost.facts()),
            "too_slow": encode_error(_TOO_SLOW),
            "keep_poisoned": self._limits.keep_poisoned_source,
            "source_ms": self._source_ms,
            "charge_strikes": self._limits.charge_strikes,
            **self._strikes(),
        }

    def _strikes(self) -> dict[str, Json]:
        """When an account is held back."""
        return {
            "max_strikes": self._limits.max_strikes,
            "strike_ms": milliseconds(self._limits.strike_seconds),
        }


def _by_lane(flat: Sequence[Any]) -> dict[Lane, int]:
    return dict(zip(map(Lane, flat[::2]), flat[1::2], strict=True))

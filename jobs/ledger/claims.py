"""Claims: what workers do with items, and where workers announce themselves."""

from collections.abc import Sequence
from typing import Any, Final

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.errors import DecodingStopped, TimedOut
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ledger.database import Database, Json
from cutgate.jobs.ledger.encoding import (
    PRESENCE,
    REQUEST,
    RESULT,
    decode_spec,
    encode_error,
    milliseconds,
)
from cutgate.jobs.ledger.keys import item_name
from cutgate.jobs.ledger.tasks import PACE_SECONDS
from cutgate.jobs.record import Claim, ErrorFacts, ItemState, KeptMask, Phase, Result
from cutgate.jobs.redis_client import ledger_errors
from cutgate.jobs.spec import Lane

HARMFUL: Final = frozenset({TimedOut.kind, DecodingStopped.kind})
"""Kinds of errors with which an item has cost its worker more than its size is worth."""


class Claims:
    """What workers do with items. A claim ends with its lease unless it is renewed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def take(self, lanes: Sequence[Lane], owner: str, token: str) -> Claim | None:
        """Take the next item of one of the lanes, in turn between the accounts that wait; None if none does.

        The lanes stand in order of preference. A second call with the same token, a fresh one for each claim,
        answers with the same item while the claim holds.
        """
        answer = self._db.run(
            "claim",
            lanes=list(lanes),
            owner=owner,
            token=token,
            lease_ms=milliseconds(self._db.limits.lease_seconds),
            job_timeout_ms=milliseconds(self._db.limits.job_timeout_seconds),
            **self._db.strikes(),
        )
        if answer is None:
            return None
        name, account, spec, source, attempt, left_ms, waited_ms, background, mask, request = answer
        uid, index = name.split(":")
        return Claim(
            token=token,
            owner=owner,
            task=TaskUid(uid),
            index=int(index),
            account=account,
            spec=decode_spec(spec),
            source=BlobKey.parse(source),
            background=BlobKey.parse(background) if background else None,
            mask=BlobKey.parse(mask) if mask else None,
            attempt=attempt,
            deadline_in_seconds=left_ms / 1000,
            waited_seconds=waited_ms / 1000,
            request=REQUEST.decode(request or "{}"),
        )

    def renew(self, claim: Claim, phase: Phase = Phase.READING) -> bool:
        """Prolong the lease, never past the hard deadline; False when the item is no longer the claim's.

        The item's phase decides whom its hard deadline is blamed on. A claim begins with reading.
        """
        lease_ms = milliseconds(self._db.limits.lease_seconds)
        return self._holds("renew", claim, lease_ms=lease_ms, phase=phase)

    def finish(self, claim: Claim, result: Result, *, slow: bool = False, mask: KeptMask | None = None) -> bool:
        """End the item as done and book its price; False, and no effect, when the claim no longer holds.

        A `slow` one counts against the account: it took long to decode. With a `mask`, that and the item's source
        stay with the task, for corrections, where the account has room for them; else they go.
        """
        kept: dict[str, Json] = {} if mask is None else {"mask": str(mask.blob), "kept_bytes": mask.kept_bytes}
        return self._end(claim, ItemState.DONE, "result", RESULT.encode(result), slow=slow, **kept)

    def fail(self, claim: Claim, error: ErrorFacts, *, slow: bool = False) -> bool:
        """End the item as failed and release its price; False, and no effect, when the claim no longer holds.

        An error of `HARMFUL` counts against the account, and may be charged; a `slow` one counts as with `finish`.
        """
        harmful = error.kind in HARMFUL
        return self._end(claim, ItemState.FAILED, "error", encode_error(error), harmful=harmful, slow=slow)

    def give_back(
        self, claim: Claim, fault: ErrorFacts | None = None, *, behind: bool = False, why: str | None = None
    ) -> bool:
        """Put the item back for another worker.

        Args:
            claim: on the item.
            fault: None where the worker cannot go on: the attempt does not count. Else why a worker that does
                other pictures failed on this one: the item goes behind all others, and after two such workers, or
                when its attempts are used up, it fails with this, which counts against the account.
            behind: the item goes behind all others, not to its old place.
            why: the kind of error that the worker met, for the item's history.

        Returns:
            False, and no effect, when the claim no longer holds.
        """
        return self._holds(
            "give_back",
            claim,
            fault=None if fault is None else encode_error(fault),
            behind=behind or None,
            why=why,
            **self._db.endings(),
        )

    def give_back_owned(self, owner: str, *, died: bool) -> int:
        """Take everything from a worker that has gone, put it back to its old place, and say how much it was.

        What it computed until the hard deadline fails as `TimedOut`: it hung, and would hang again. `died`: its
        attempts count, and an item whose workers died `max_attempts` times fails as `WorkerLost`. Without it a
        picture that kills its worker would go round for ever.
        """
        count: int = self._db.run_once("give_back_owned", owner=owner, died=died, **self._db.endings())
        return count

    def under_way(self) -> list[dict[str, Any]]:
        """The pictures that workers have, by task, for an operator."""
        fields = ("owner", "account", "lane", "phase", "attempts", "claimed_at_ms")
        with ledger_errors(), self._db.client.pipeline(transaction=False) as pipeline:
            names = sorted(map(str, self._db.client.zrange(self._db.key("leases"), 0, -1)))
            for name in names:
                pipeline.hmget(self._db.key(f"item:{name}"), fields)
            pipeline.time()
            *found, (seconds, microseconds) = pipeline.execute()
        now_ms = 1_000 * seconds + microseconds // 1_000
        return [
            {
                "worker": owner,
                "task": name.partition(":")[0],
                "picture": int(name.partition(":")[2]),
                "account": account,
                "lane": lane,
                "phase": phase or Phase.READING.value,
                "attempt": int(attempts),
                "seconds": max(0, now_ms - int(claimed_at_ms)) // 1_000,
            }
            for name, (owner, account, lane, phase, attempts, claimed_at_ms) in zip(names, found, strict=True)
            if owner
        ]

    def _end(self, claim: Claim, state: ItemState, outcome: str, text: str, **facts: Json) -> bool:
        return self._holds(
            "end",
            claim,
            state=state,
            outcome=outcome,
            text=text,
            pace_ms=milliseconds(PACE_SECONDS),
            source_ms=self._db.source_ms,
            most_kept_bytes=self._db.limits.account_kept_bytes,
            **facts,
            **self._db.strikes(),
        )

    def _holds(self, script: str, claim: Claim, **arguments: Json) -> bool:
        """Run a script that needs a live claim; False when it refuses."""
        name = item_name(claim.task, claim.index)
        return bool(self._db.run(script, item=name, token=claim.token, **arguments))


class Presence:
    """Where workers announce themselves, periodically; one that stays silent counts as gone."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None:
        """Count as alive in this lane for so long."""
        text = PRESENCE.encode(worker)
        self._db.run(
            "announce", owner=worker.owner, lane=worker.lane, presence=text, ttl_ms=milliseconds(ttl_seconds)
        )

    def leave(self, owner: str) -> None:
        """Count as gone at once, from every lane."""
        self._db.run("leave", owner=owner)

    def alive(self) -> tuple[WorkerPresence, ...]:
        """The workers that are alive, each once for every lane that it offers, by owner and lane."""
        workers = (PRESENCE.decode(text) for text in self._db.run("alive"))
        return tuple(sorted(workers, key=lambda worker: (worker.owner, worker.lane)))

    def offered(self, within_seconds: float) -> frozenset[Lane]:
        """The lanes that a worker offers, or has offered within so long."""
        recent = map(Lane, self._db.run("offered", within_ms=milliseconds(within_seconds)))
        return frozenset(recent)

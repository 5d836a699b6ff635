"""What every part of the ledger works on: the server, its scripts, the limits, and the prefix of all keys."""

from collections.abc import Callable
from typing import Any, Final

from redis import Redis

from cutgate.jobs.errors import TimedOut, WorkerLost
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.client import Json, Scripts
from cutgate.jobs.ledger.encoding import encode_error, milliseconds
from cutgate.jobs.limits import LedgerLimits

CALL_MEMORY_SECONDS: Final = 60
"""How long a call's answer is remembered: far longer than a client goes on repeating it."""
BATCH: Final = 200
"""The most items of one kind, or tasks, that one call takes on: a call must stay short."""
_TOO_SLOW: Final = TimedOut("the picture took longer than the service allows").facts()


class Database:
    """The ledger's keys in a server, and what changes them. `cutgate.jobs.ledger.keys` lists the keys."""

    def __init__(
        self, client: Redis, limits: LedgerLimits, key_prefix: str, clock_offset_ms: Callable[[], int]
    ) -> None:
        self.client, self.limits, self.key_prefix = client, limits, key_prefix
        self.retention_ms = milliseconds(limits.retention_seconds)
        self.source_ms = milliseconds(limits.source_seconds)
        self.upload_retention_ms = milliseconds(limits.upload_retention_seconds)
        self._scripts = Scripts(client, key_prefix, clock_offset_ms)

    def key(self, name: str) -> str:
        """The key of a record."""
        return f"{self.key_prefix}{name}"

    def run(self, script: str, **arguments: Json) -> Any:
        """Run a script."""
        return self._scripts.run(script, **arguments)

    def run_once(self, script: str, **arguments: Json) -> Any:
        """Run a script that remembers its answer for a repeat, because its arguments alone do not tell one."""
        memory_ms = milliseconds(CALL_MEMORY_SECONDS)
        return self.run(script, call=new_token(), memory_ms=memory_ms, **arguments)

    def strikes(self) -> dict[str, Json]:
        """When an account is held back."""
        return {
            "max_strikes": self.limits.max_strikes,
            "strike_ms": milliseconds(self.limits.strike_seconds),
            "charge_strikes": self.limits.charge_strikes,
        }

    def retentions(self) -> dict[str, Json]:
        """From which age on tasks and uploads are past their time."""
        return {"retention_ms": self.retention_ms, "upload_retention_ms": self.upload_retention_ms}

    def endings(self) -> dict[str, Json]:
        """When an item that was taken back is not tried again, and why it then fails."""
        attempts = self.limits.max_attempts
        lost = WorkerLost(f"the picture's worker died in each of {attempts} attempts", attempts=attempts)
        return {
            "max_attempts": attempts,
            "worker_lost": encode_error(lost.facts()),
            "too_slow": encode_error(_TOO_SLOW),
            "keep_poisoned": self.limits.keep_poisoned_source,
            "source_ms": self.source_ms,
            **self.strikes(),
        }

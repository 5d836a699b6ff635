"""Limits on pictures, queues and retention: the same in every process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """What a source may be: one bound for the gateway that takes it and the worker that decodes it."""

    max_bytes: int
    max_pixels: int
    max_side_px: int
    max_decoded_pixels: int = 1_000_000_000
    """Those that decoding may go over: the picture's, once for each scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLimits:
    """What the ledger's moves keep to."""

    lease_seconds: float = 15
    """A worker that is silent for so long has lost its item."""
    job_timeout_seconds: float = 120
    """Time from a claim to its item's hard deadline."""
    account_queue_cap: int = 500
    """Items of one account that may wait or run."""
    total_queue_cap: int = 10_000
    """Items of all accounts that may wait or run."""
    idempotency_seconds: float = 86_400
    """How long a repeat of an idempotency key answers with the first task."""
    source_max_age_seconds: float = 1_800
    """How old a task id may be at CREATE: half of the time after which an orphan blob is swept."""
    source_seconds: float | None = 60
    """How long a source stays after its item has ended, for an end that a failover loses; None leaves it to the
    task's retention."""
    keep_poisoned: bool = False
    """Whether sources whose workers died as often as is allowed are left to the retention."""
    retention_seconds: float = 86_400
    """How long a task stays after its end. From then on it looks as if it had never been."""
    max_attempts: int = 3
    """After so many claims whose worker died, an item fails instead of being tried again."""
    max_strikes: int = 3
    """With so many items of late that hung, or harmed their worker, an account is held back."""
    strike_seconds: float = 600
    """How long such an item counts."""
    charge_strikes: bool = False
    """Whether such an item's price is booked."""
    queue_timeout_seconds: float = 3_600
    """An item that waits longer fails."""
    hint_grace_seconds: float = 5
    """Time that a hint has to reach a worker before it counts as missing."""
    errand_lease_seconds: float = 90
    """An errand whose courier is silent for so long falls due again."""
    errand_max_crashes: int = 3
    """After so many couriers that died with it, an errand ends instead of being tried again."""
    account_errand_cap: int = 4
    """Errands of one account that couriers may have at a time, all couriers together."""
    terminated_retention_seconds: float = 3_600
    """The same of a task that was terminated before anything was begun, and told nobody of it."""
    account_upload_cap: int = 1_000
    """Uploads that an account may have."""
    account_upload_bytes: int = 2 * 2**30
    """How long they may be together."""
    upload_retention_seconds: float = 30 * 86_400
    """How long an upload stays after its last use. From then on it looks as if it had never been."""
    usage_retention_seconds: float = 400 * 86_400
    """How long accounts' usage of a day stays at least; 32 days go together."""

    @property
    def name_seconds(self) -> float:
        """How long a task can be found by its name: as long as it can be there, whatever it had to wait for."""
        longest_until_end = self.max_attempts * (self.queue_timeout_seconds + self.job_timeout_seconds)
        return max(self.idempotency_seconds, longest_until_end + self.retention_seconds)

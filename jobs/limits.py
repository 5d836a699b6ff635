"""Limits on pictures, queues and retention: the same in every process."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt

MAX_DECODED_PIXELS: Final = 600_000_000
"""What decoding may go over, counted for each scan of a JPEG: twelve scans of the largest picture.

libjpeg makes ten. A large HEIC then takes as long as the dearest JPEG.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """What a source may be: one bound for the gateway that takes it and the worker that decodes it."""

    max_bytes: int
    max_pixels: int
    max_side_px: int
    max_decoded_pixels: int = MAX_DECODED_PIXELS


class LedgerSettings(BaseModel, frozen=True, use_attribute_docstrings=True):
    """The ledger's limits that an operator may change."""

    lease_seconds: PositiveFloat = 15
    """A worker that is silent for this long loses its pictures to others."""
    job_timeout_seconds: PositiveFloat = 120
    """Maximum time of a picture in a worker."""
    max_attempts: PositiveInt = 3
    """A picture fails once this many of its workers have died."""
    charge_strikes: bool = False
    """Charge for pictures that failed because they hit a limit of time or memory, or killed their worker."""
    queue_timeout_seconds: PositiveFloat = 3_600
    """A picture that waits longer fails."""
    account_queue_cap: PositiveInt = 500
    """Maximum waiting and running pictures of an account, unless set for it."""
    total_queue_cap: PositiveInt = 10_000
    """Maximum waiting and running pictures of all accounts."""
    idempotency_seconds: PositiveFloat = 86_400
    """How long a repeated request gets the first one's task."""
    orphan_grace_seconds: Annotated[float, Field(ge=60)] = 3_600
    """Age from which a blob without a record may be deleted."""
    retention_seconds: PositiveFloat = 86_400
    """How long an ended task and its results stay."""
    account_upload_cap: PositiveInt = 1_000
    """Maximum uploads of an account, unless set for it."""
    account_upload_bytes: PositiveInt = 2 * 2**30
    """Maximum bytes of an account's uploads, unless set for it."""
    account_kept_bytes: NonNegativeInt = 2 * 2**30
    """Maximum bytes of pictures and masks that an account's finished tasks keep for corrections, as long as their
    results; what is beyond is not kept. 0 keeps none."""
    upload_retention_seconds: PositiveFloat = 30 * 86_400
    """How long an upload stays after its last use."""


class LedgerLimits(LedgerSettings):
    """What the ledger's moves keep to: the settings, and what nobody needs to set."""

    source_max_age_seconds: float = 1_800
    """How old a task id may be at CREATE: half of the time after which an orphan blob is swept."""
    source_seconds: float = 60
    """How long a source outlives its item's end: longer than what a failover loses."""
    max_strikes: int = 3
    """With so many items of late that hung, took long or harmed their worker, an account is held back: one may be
    chance."""
    strike_seconds: float = 600
    """How long such an item counts."""
    hint_grace_seconds: float = 5
    """Time that a hint has to reach a worker before it counts as missing."""
    errand_lease_seconds: float = 90
    """An errand whose courier is silent for so long falls due again: longer than one exchange may take."""
    errand_max_crashes: int = 3
    """After so many couriers that died with it, an errand ends instead of being tried again."""
    account_errand_cap: int = 4
    """Errands of one account that couriers may have at a time, all couriers together."""
    terminated_retention_seconds: float = 3_600
    """How long a task stays that was terminated before anything was begun, and told nobody of it."""
    usage_retention_seconds: float = 400 * 86_400
    """How long accounts' usage of a day stays at least, for a bill of last year's month; 32 days go together."""

    @property
    def name_seconds(self) -> float:
        """How long a task can be found by its name: as long as it can be there, whatever it had to wait for."""
        longest_until_end = self.max_attempts * (self.queue_timeout_seconds + self.job_timeout_seconds)
        return max(self.idempotency_seconds, longest_until_end + self.retention_seconds)

"""Results of the ledger's calls, and what workers announce."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cutgate.jobs.errors import SubmissionRefused
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.record import Phase, Task
from cutgate.jobs.spec import CutoutSpec, Lane

MEMORY_FOR_NEW: Final = 0.9
"""The share of the server's memory up to which something new is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The answer of `create`."""

    uid: TaskUid
    repeated: bool
    """True: the idempotency key named a task that exists. The new blobs are the caller's to delete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a rate says of one request."""

    granted: bool
    limit: int
    """Places of the rate."""
    remaining: int
    """Places that are free now."""
    frees_at_seconds: float
    """Unix time, by the server's clock, at which there is one more, or for a refused request enough."""
    frees_in_seconds: float
    """The same from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What CREATE or KEEP_UPLOAD would answer as things stand."""

    allowance: Allowance | None = None
    """Of the request's rate; one that is refused was asked nothing else."""
    key_changed: bool = False
    """The request's key or account is not what was known of it: it was not counted, and asked nothing else."""

    first: TaskUid | None = None
    """The task or upload that the idempotency key stands for already."""
    refusal: Callable[[], SubmissionRefused] | None = None
    """Makes the error that says why there would be none, where that is raised: kept here, it would keep its trace,
    and that the request's body, until the collector runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a task is."""

    task: Task
    """As it stands; without its items while it has not ended."""
    place: int | None = None
    """Estimated place of its first item in the lane, 1 for the next; None unless that waits there, unbegun."""
    phase: Phase | None = None
    """What a worker does with one of its items; None while none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a finished item left for corrections."""

    spec: CutoutSpec
    source: BlobKey
    mask: BlobKey
    background: BlobKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Credits of a metered account. Available = granted - used - reserved."""

    granted: int
    used: int
    reserved: int

    @property
    def available(self) -> int:
        """What new tasks may still cost."""
        return self.granted - self.used - self.reserved


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an account used in some time: items that ended then, and what they were charged."""

    done: int = 0
    failed: int = 0
    """Terminated ones too; what was reserved for them is released."""
    credits: int = 0
    """The price of what was done, and of what failed where that is charged, metered or not."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            done=self.done + other.done, failed=self.failed + other.failed, credits=self.credits + other.credits
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the ledger's server holds in memory."""

    used_bytes: int
    limit_bytes: int
    """Its `maxmemory`; 0 where there is none."""

    @property
    def is_short(self) -> bool:
        """Whether nothing new is accepted: what is left is for what was accepted already, and its hints."""
        return 0 < self.limit_bytes <= self.used_bytes / MEMORY_FOR_NEW


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFigures:
    """What waits in a lane."""

    lane: Lane
    waiting: int
    """Items that wait for a worker."""
    oldest_seconds: float
    """Time since the task of the oldest of them was accepted, on the ledger's clock; 0 when none waits.

    An item that was taken back from a lost worker, or whose source had to be fetched first, has waited all along.
    """
    running: int
    """Items that a worker has claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFigures:
    """The ledger at one moment."""

    lanes: tuple[LaneFigures, ...]
    """Of every lane that an item ever waited in, in order."""
    booked: int
    """The price of everything that was ever done, for all accounts, metered or not."""
    done: int
    """Items that were ever done."""
    overdue: int
    """Sources, tasks and uploads that are past their time and not deleted yet."""

    @property
    def running(self) -> int:
        """Items that a worker has claimed, in all lanes."""
        return sum(lane.running for lane in self.lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What one call of `reap` did, in items."""

    renewed: int = 0
    """Leases that lapsed while the server was away, and run on."""
    requeued: int = 0
    """Put back to their old place: their worker is lost."""
    worker_lost: int = 0
    """Failed: as many workers died as is allowed."""
    too_slow: int = 0
    """Failed: the worker held on until the hard deadline."""
    too_late: int = 0
    """Failed: they waited longer than is allowed."""
    hints: Mapping[Lane, int] = field(default_factory=dict)
    """How many hints were sent for lanes whose own were lost."""

    @property
    def items(self) -> int:
        """Items that were taken back or failed."""
        return self.renewed + self.requeued + self.worker_lost + self.too_slow + self.too_late


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A task or upload past its retention."""

    uid: TaskUid
    blobs: tuple[BlobKey, ...]
    """What its record names: results, and sources that were kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPresence:
    """What a live worker says of a lane that it offers."""

    owner: str
    """The name under which it claims."""
    lane: Lane
    model: str
    engine: str
    """The library that runs the network, with its version."""
    provider: str
    """The execution provider that is *active*, not the one that was asked for."""
    dtype: str
    """The type of number that the network computes in: `fp32`, `bf16`, `fp16` or `int8`; `as stored` where rembg's
    own session runs it, `as served` by an inference server."""
    threads: int
    away: str = ""
    """Kind of the error that keeps it from taking pictures, such as `inference_unavailable`; empty without one."""


def owner_name(host: str, process: str) -> str:
    """The name under which a worker process claims and announces itself.

    Args:
        host: the machine or container.
        process: a name that no other of its worker processes has; without a hyphen.
    """
    return f"{host}-{process}"


def is_from(host: str, worker: WorkerPresence) -> bool:
    """Whether a worker runs on a host."""
    return worker.owner.rpartition("-")[0] == host

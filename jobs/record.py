"""What the ledger keeps: tasks with ordered items, their states and the moves between them.

    FETCHING ─fetched→ QUEUED               (only items whose source is a URL)
    FETCHING ─kept→ DONE                    (those that are kept as they are, and need no worker)
    FETCHING ─fetch failed→ FAILED
    QUEUED   ─claim→ RUNNING
    RUNNING  ─finish→ DONE
    RUNNING  ─fail→ FAILED
    RUNNING  ─give back→ QUEUED
    RUNNING  ─lapse→ QUEUED, or FAILED when the attempts are used up
    QUEUED, FETCHING, RUNNING ─time out→ FAILED
    QUEUED, FETCHING, RUNNING ─terminate→ FAILED
    FAILED   ─retry→ QUEUED                 (by an operator, where the picture need not be to blame)

DONE is final. A task's status follows from counters that the same script changes.

An errand is what a courier has to do: fetch the source of an item, tell of a task's end, bring its result. It is a
record with a due time. A courier takes it under a lease: its due time moves to the lease's end, so that one whose
courier died falls due again by itself. What ends a task makes its deliveries due in the same step; what ends an
item that is still to be fetched removes its errand, and retention whatever else is left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.spec import CORRECTIONS, Box, CutoutSpec, Lane, lane_of

MAX_MEMO_BYTES: Final = 65_536
"""The longest memo of a task, in UTF-8."""


class ItemState(StrEnum):
    """Where one picture stands."""

    FETCHING = "fetching"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TaskStatus(StrEnum):
    """Where a whole task stands."""

    QUEUING = "queuing"
    RUNNING = "running"
    FINISHED = "finished"
    ERROR = "error"


def status_of(*, started: bool, open_count: int, done_count: int) -> TaskStatus:
    """A task's status from its counters."""
    if open_count:
        return TaskStatus.RUNNING if started else TaskStatus.QUEUING
    return TaskStatus.FINISHED if done_count else TaskStatus.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts:
    """Why an item failed, as it crosses the ledger: facts, never a pickled exception."""

    kind: str
    """`CutoutError.kind` of the error's class."""
    message: str
    """A sentence that the caller can act on."""
    details: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a finished item left in the blob store: of its own, or, where it is kept, an upload's."""

    blob: BlobKey
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int
    subject_found: bool = True
    """Whether the picture shows a subject; where it does not, the result is transparent."""
    confidence: float | None = None
    """How likely the cut-out is right, 0 to 1 in hundredths; None of an upload, and of models that give mattes."""
    full_width_px: int | None = None
    full_height_px: int | None = None
    """The size without `max_pixels`; None where the spec has no composition."""
    foreground: Box | None = None
    """Limits of the subject in the oriented picture; None where there is none, or the spec has no composition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMask:
    """The mask that a cut-out was made from, which stays beside it with the picture."""

    blob: BlobKey
    kept_bytes: int
    """Of both together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateUse:
    """A request that takes places of a rate."""

    name: str
    """Of the rate."""
    limit: int
    """Places in all."""
    seconds: int
    """In which all places come free, evenly one by one."""
    weight: int = 1
    """Places that the request takes, at most all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """One picture of a task that is about to be created."""

    source: BlobKey
    """Where the picture lies; for a picture that is still to be fetched, a place of the item's own."""
    spec: CutoutSpec
    price: int = 1
    """Credits reserved at acceptance and booked when the item is done."""
    source_url: str | None = field(default=None, repr=False)
    """Where the picture is to be fetched from first; it may hold a secret. None: the source is in place."""
    keep: bool = False
    """Whether the fetched picture is kept as an upload, which ends the item: no worker sees it, nor its spec."""
    background: BlobKey | None = None
    """Where the picture behind the subject lies."""
    background_url: str | None = field(default=None, repr=False)
    """Where that one is to be fetched from first; it may hold a secret."""
    mask: BlobKey | None = None
    """Where the mask lies that the cut-out is made from; None: a network finds it."""
    urgent: bool = False
    """Whether somebody waits, so that it stands before its account's others; accounts keep their turns."""
    rate: RateUse | None = None
    """In which the megapixels of a fetched picture count, beyond the first; its weight says nothing."""

    @property
    def lane(self) -> Lane:
        """The lane that the item will wait in."""
        return lane_of(self.spec) if self.mask is None else CORRECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A repeat of `key` with the same content answers with the first task."""

    key: str
    content_digest: str
    """A repeat of the key with another digest is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """A repeat of the same content joins the first task, and waits for it as well, unless it has failed."""

    content_digest: str
    seconds: float
    """For how long."""


Repeats = Idempotency | Joining
"""What makes a request a repeat of another one."""


class ErrandKind(StrEnum):
    """What a courier does."""

    FETCH = "fetch"
    """Bring the source of an item from its URL."""
    CALLBACK = "callback"
    """Say at a URL how the task ended."""
    UPLOAD = "upload"
    """Bring the task's result to a URL."""


EVERY_KIND: Final = tuple(ErrandKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is to be brought where once the task has ended."""

    kind: ErrandKind
    """`CALLBACK` or `UPLOAD`."""
    url: str = field(repr=False)
    """It may hold a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request that made a task, for the logs and traces of whoever works on it: nothing else depends on it."""

    uuid: str = ""
    """The request's id in the gateway's log; empty where it is not known."""
    traceparent: str = ""
    """The span that accepted the task, as W3C's Trace Context writes it; empty where none was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A credential as it was found before, for the ledger to confirm."""

    name: str
    version: str
    """SHA-1, in hexadecimal, of its record and of its account's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCaps:
    """How much of the service one account may hold; None stands for the ledger's limit."""

    queue: int | None = None
    """Items that may wait or run."""
    uploads: int | None = None
    """Uploads that it may have."""
    upload_bytes: int | None = None
    """How long these may be together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task that is about to be created; the sources that need no fetching are written already."""

    uid: TaskUid
    account: str
    origin: str
    """What the façade calls this kind of task; opaque to everybody else."""
    items: tuple[NewItem, ...]
    idempotency: Repeats | None = None
    caps: AccountCaps = field(default_factory=AccountCaps)
    """Of the account, this task's items among what counts."""
    memo: str = ""
    """What the façade wants to find again with the task; opaque to everybody else."""
    request: Request = field(default_factory=Request)
    deliveries: tuple[Delivery, ...] = ()
    """What falls due with the task's end, however it ends."""

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError("a task needs an item: one without any would never end")
        if len(self.memo.encode()) > MAX_MEMO_BYTES:
            raise ValueError(f"a memo has at most {MAX_MEMO_BYTES} bytes")
        for index, item in enumerate(self.items):
            if (item.source.task, item.source.index) != (self.uid, index):
                raise ValueError("a source belongs to one item: copy a blob that is to be used again")
            if item.price < 0:
                raise ValueError("a price is not negative")
            if item.keep and item.source_url is None:
                raise ValueError("what lies here already is kept without a task")
            if item.background is not None and item.background_url is not None:
                raise ValueError("a background lies here, or is fetched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture of a task, as it stands."""

    index: int
    state: ItemState
    price: int = 0
    attempts: int = 0
    """How many claims count: all but those that a worker gave back in order."""
    result: Result | None = None
    error: ErrorFacts | None = None
    charged: bool = False
    """Whether its price is booked although it failed."""

    @property
    def booked(self) -> bool:
        """Whether its price is charged."""
        return self.state is ItemState.DONE or self.charged


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands. Times are milliseconds since the epoch on the ledger's clock."""

    uid: TaskUid
    account: str
    origin: str
    status: TaskStatus
    created_at_ms: int
    ended_at_ms: int | None
    items: tuple[Item, ...]
    """None of an open task that was read among many."""
    booked: int
    """Credits charged: the price of every item that is done, and of those that failed and are charged."""
    memo: str = ""
    """What the façade gave with the task."""
    retries: int = 0
    """How often an operator had failed items of it wait again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's hold on one item. It ends with the lease unless it is renewed."""

    token: str
    owner: str
    task: TaskUid
    index: int
    account: str
    spec: CutoutSpec
    source: BlobKey
    attempt: int
    """1 for the first claim of the item."""
    deadline_in_seconds: float
    """Time from the claim until the item's hard deadline, which no renewal passes."""
    waited_seconds: float
    """How long the item waited for this claim, since its acceptance or since it was put back."""
    background: BlobKey | None = None
    """The picture that is to be behind the subject."""
    mask: BlobKey | None = None
    """The mask that the cut-out is to be made from; None: a network finds it."""
    request: Request = field(default_factory=Request)

    @property
    def lane(self) -> Lane:
        """The lane that the item waited in."""
        return lane_of(self.spec) if self.mask is None else CORRECTIONS


class Phase(StrEnum):
    """What a worker does with its item. A deadline that passes while it reads or writes is the storage's fault."""

    READING = "reading"
    COMPUTING = "computing"
    WRITING = "writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A courier's hold on one errand. It ends with the lease. Times are milliseconds on the ledger's clock."""

    id: str
    kind: ErrandKind
    task: TaskUid
    index: int
    """FETCH: the item; else 0."""
    account: str
    url: str = field(repr=False)
    """It may hold a secret. Empty where only a background is fetched."""
    source: BlobKey | None
    """FETCH: where the bytes go. It is this taking's own: when `fetched` refuses, the courier deletes them.

    None where the picture is kept: it lies under the key of an upload that the courier makes. None, too, where it
    is in place.
    """
    keep: bool
    """FETCH: whether the picture is kept as an upload, instead of waiting for a worker."""
    attempt: int
    """1 for the first taking."""
    first_due_at_ms: int
    now_ms: int
    """When it was taken."""
    token: str
    background: BlobKey | None = None
    """FETCH: where the bytes of the picture behind the subject go, as `source`; None where none is fetched."""
    background_url: str = field(default="", repr=False)
    """FETCH: where that one is; it may hold a secret. Empty where there is none to fetch."""
    request: Request = field(default_factory=Request)
    """That made the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A kept picture."""

    uid: TaskUid
    account: str
    blob: BlobKey
    """From `cutgate.jobs.ids.upload_key`."""
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int

    def __post_init__(self) -> None:
        if self.blob.task != self.uid:
            raise ValueError("a blob belongs to one upload: copy one that is to be used again")

    def as_result(self) -> Result:
        """What the item has made that brought it: the upload's own blob, which outlives the item's task."""
        return Result(
            blob=self.blob,
            media_type=self.media_type,
            width_px=self.width_px,
            height_px=self.height_px,
            size_bytes=self.size_bytes,
        )

"""The domain on one screen: what gateway, workers and couriers ask of the ledger, and where bytes lie.

`cutgate.jobs.ledger` has the ledger, where each method says more; `cutgate.jobs.blobs` has the stores of blobs.

Order on submit: blob, CREATE, which sends the hint. Order on finish: result blob, FINISH, then the source goes. A
blob is deleted only after an explicit refusal by the ledger, never after a time-out or a lost connection.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import BinaryIO, Protocol

from cutgate.jobs.answers import (
    Allowance,
    Balance,
    Created,
    Expired,
    Kept,
    LedgerFigures,
    Memory,
    Outlook,
    Progress,
    Reaped,
    Usage,
    WorkerPresence,
)
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.record import (
    EVERY_KIND,
    AccountCaps,
    Claim,
    Errand,
    ErrandKind,
    ErrorFacts,
    Idempotency,
    KeptMask,
    KnownKey,
    NewTask,
    Phase,
    RateUse,
    Repeats,
    Result,
    Task,
    Upload,
)
from cutgate.jobs.spec import Lane


class Tasks(Protocol):
    """What callers do with tasks; those of other accounts are None to them."""

    def create(self, task: NewTask) -> Created: ...
    def look(
        self,
        account: str,
        *,
        caps: AccountCaps,
        idempotency: Repeats | None = None,
        item_count: int = 0,
        price: int = 0,
        keeps: bool = False,
        upload_bytes: int | None = None,
        use: RateUse | None = None,
        key: KnownKey | None = None,
    ) -> Outlook: ...
    def get(self, uid: TaskUid, account: str) -> Task | None: ...
    def get_many(self, uids: Sequence[TaskUid], account: str) -> tuple[Task | None, ...]: ...
    def poll(
        self, uids: Sequence[TaskUid], account: str, *, use: RateUse | None = None, key: KnownKey | None = None
    ) -> tuple[Outlook, tuple[Task | None, ...]]: ...
    def poll_named(
        self, name: str, account: str, *, use: RateUse | None = None, key: KnownKey | None = None
    ) -> tuple[Outlook, Task | None]: ...
    def kept(self, uid: TaskUid, index: int, account: str) -> Kept | None: ...
    def ended(self, uids: Sequence[TaskUid], account: str) -> tuple[TaskUid, ...]: ...
    def progress(self, uids: Sequence[TaskUid]) -> Mapping[TaskUid, Progress]: ...
    def unfinished(self, account: str) -> tuple[TaskUid, ...]: ...
    def terminate(self, uid: TaskUid, account: str) -> bool: ...
    def leave(self, uid: TaskUid, account: str) -> bool: ...


class Uploads(Protocol):
    """Pictures that callers keep for later use."""

    def keep(
        self, upload: Upload, *, caps: AccountCaps | None = None, idempotency: Idempotency | None = None
    ) -> Created: ...
    def use(self, uid: TaskUid, account: str) -> Upload | None: ...
    def drop(self, uid: TaskUid, account: str, key: str | None = None) -> Upload | None: ...


class Accounts(Protocol):
    """What accounts own and use."""

    def take_rate(self, use: RateUse) -> Allowance: ...
    def grant(self, account: str, credit_count: int) -> Balance: ...
    def balance(self, account: str) -> Balance | None: ...
    def credits(self, accounts: Sequence[str]) -> list[tuple[Balance | None, int]]: ...
    def kept_bytes(self, accounts: Sequence[str]) -> list[int]: ...
    def usage(self, first: date, last: date, account: str | None = None) -> dict[str, dict[date, Usage]]: ...


class Claims(Protocol):
    """What workers do with items; False means that the claim no longer holds."""

    def take(self, lanes: Sequence[Lane], owner: str, token: str) -> Claim | None: ...
    def renew(self, claim: Claim, phase: Phase) -> bool: ...
    def finish(
        self, claim: Claim, result: Result, *, slow: bool = False, mask: KeptMask | None = None
    ) -> bool: ...
    def fail(self, claim: Claim, error: ErrorFacts, *, slow: bool = False) -> bool: ...
    def give_back(
        self, claim: Claim, fault: ErrorFacts | None = None, *, behind: bool = False, why: str | None = None
    ) -> bool: ...
    def give_back_owned(self, owner: str, *, died: bool) -> int: ...


class Presence(Protocol):
    """Where workers announce themselves."""

    def announce(self, worker: WorkerPresence, ttl_seconds: float) -> None: ...
    def leave(self, owner: str) -> None: ...
    def alive(self) -> tuple[WorkerPresence, ...]: ...
    def offered(self, within_seconds: float) -> frozenset[Lane]: ...


class Errands(Protocol):
    """What couriers do; False means that the errand is no longer theirs."""

    def take(self, owner: str, token: str, kinds: Sequence[ErrandKind] = EVERY_KIND) -> Errand | None: ...
    def fetched(self, errand: Errand, megapixels: int = 1) -> bool: ...
    def kept(self, errand: Errand, upload: Upload) -> bool: ...
    def fetch_failed(self, errand: Errand, error: ErrorFacts) -> bool: ...
    def postpone(self, errand: Errand, seconds: float) -> bool: ...
    def done(self, errand: Errand) -> bool: ...
    def due(self) -> int: ...


class Upkeep(Protocol):
    """What takes back, sweeps and forgets."""

    def lead(self, sweep: str, holder: str, hold_seconds: float) -> float: ...
    def suspend(self, sweep: str, holder: str, hold_seconds: float) -> None: ...
    def reap(self, silent_seconds: float = 0) -> Reaped: ...
    def spent(self) -> tuple[BlobKey, ...]: ...
    def forget_spent(self, sources: Sequence[BlobKey]) -> None: ...
    def hide_expired(self) -> tuple[Expired, ...]: ...
    def defer(self, uids: Sequence[TaskUid], seconds: float) -> None: ...
    def forget(self, uids: Sequence[TaskUid]) -> None: ...
    def unrecorded(self, uids: Sequence[TaskUid], older_than_seconds: float) -> tuple[TaskUid, ...]: ...
    def count_uploads(self) -> int: ...
    def forget_usage(self) -> int: ...


class Server(Protocol):
    """The server that the ledger lies in."""

    wrong: str | None
    known: str | None

    def ping(self) -> None: ...
    def require_fit(self) -> None: ...
    def require_room(self) -> None: ...
    def require_known(self) -> None: ...
    def memory(self) -> Memory: ...
    def clock_offset_seconds(self) -> float: ...
    def installation(self) -> str | None: ...
    def install(self, installation: str) -> str: ...


class Ledger(Protocol):
    """The one truth about tasks, items and claims. Without an answer in time a call raises `LedgerUnavailable`."""

    @property
    def tasks(self) -> Tasks: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def claims(self) -> Claims: ...
    @property
    def presence(self) -> Presence: ...
    @property
    def errands(self) -> Errands: ...
    @property
    def upkeep(self) -> Upkeep: ...
    @property
    def server(self) -> Server: ...
    def figures(self) -> LedgerFigures: ...


class TaskEvents(Protocol):
    """Tells of the ends of items."""

    def follow(self, heard: Callable[[TaskUid], None]) -> None: ...


class BlobStore(Protocol):
    """Bytes under keys. A blob is whole once `put` has returned, never changes, and is named nowhere before.

    Every method raises `BlobStoreUnavailable` when the storage cannot be read or written.
    """

    def put(self, key: BlobKey, data: bytes) -> None:
        """Write a blob durably. Writing the same key again replaces it in one step."""

    def get(self, key: BlobKey) -> bytes:
        """Read a blob whole.

        Raises:
            BlobMissing: there is none under the key.
        """

    def open(self, key: BlobKey) -> BinaryIO:
        """Open a blob for reading, seekable, so that a server can stream it.

        Raises:
            BlobMissing: there is none under the key.
        """

    def copy(self, source: BlobKey, target: BlobKey) -> None:
        """Put what lies under one key under another as well. Neither is touched by what happens to the other.

        Raises:
            BlobMissing: there is none under the source's key.
        """

    def delete(self, *keys: BlobKey) -> None:
        """Remove blobs, in as few requests as the storage allows; without effect where there are none."""

    def tasks(self) -> Iterator[TaskUid]:
        """The tasks that have blobs, in no order; one that comes or goes meanwhile may be missing."""

    def delete_task(self, uid: TaskUid) -> None:
        """Remove every blob of a task, which takes a look at what is stored; without effect where there is none.

        What is put meanwhile may stay: a caller that must be sure calls again.
        """

    def delete_unfinished(self, older_than_seconds: float) -> None:
        """Remove what writers that died left behind, once nobody has written to it for so long."""

    def installation(self) -> str | None:
        """The id that was installed here; None where none was."""

    def install(self, installation: str, *, replace: bool = False) -> str:
        """Store an id unless there is one, or in its place; answers the one that then stands."""

    def check(self) -> None:
        """Raise `BlobStoreUnavailable` unless a blob could be written now."""

    def free_bytes(self) -> int | None:
        """How much room the storage has left; None where it does not say."""

"""What the tests of this package build: tasks, results, and calls that happen at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from redis import Redis

from cutgate.jobs.answers import Usage
from cutgate.jobs.ids import TaskUid, new_task_uid, new_token, result_key, source_key, upload_key
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import (
    AccountCaps,
    Claim,
    Delivery,
    Errand,
    ErrandKind,
    ErrorFacts,
    Item,
    ItemState,
    NewItem,
    NewTask,
    RateUse,
    Repeats,
    Request,
    Result,
    Task,
    Upload,
)
from cutgate.jobs.spec import CutoutSpec, Lane, lane_of
from tests.fakes import ManualClock
from tests.ledgers import ReadableLedger
from tests.waiting import PATIENCE_SECONDS

SPEC = CutoutSpec(model="isnet-general-use")
LANE = lane_of(SPEC)
OTHER_SPEC = CutoutSpec(model="u2netp")
OTHER_LANE = lane_of(OTHER_SPEC)
LIMITS = LedgerLimits()
ENDED = frozenset({ItemState.DONE, ItemState.FAILED})
ERROR = ErrorFacts(kind="processing_failed", message="the picture is damaged", details={"side": 7, "part": "Ä"})
URL = "https://pictures.example/ä.png?key=secret"
DELIVERIES = (
    Delivery(kind=ErrandKind.UPLOAD, url="https://uploads.example/put?key=secret"),
    Delivery(kind=ErrandKind.CALLBACK, url="https://calls.example/done"),
)

Answer = TypeVar("Answer")


def new_task(
    *,
    account: str = "alice",
    origin: str = "test",
    item_count: int = 1,
    price: int = 1,
    spec: CutoutSpec = SPEC,
    idempotency: Repeats | None = None,
    uid: TaskUid | None = None,
    source_url: str | None = None,
    keep: bool = False,
    urgent: bool = False,
    rate: RateUse | None = None,
    deliveries: tuple[Delivery, ...] = (),
    request: Request | None = None,
) -> NewTask:
    """A task that no other equals."""
    uid = new_task_uid() if uid is None else uid
    items = tuple(
        NewItem(
            source=source_key(uid, index),
            spec=spec,
            price=price,
            source_url=source_url,
            keep=keep,
            urgent=urgent,
            rate=rate,
        )
        for index in range(item_count)
    )
    return NewTask(
        uid=uid,
        account=account,
        origin=origin,
        items=items,
        idempotency=idempotency,
        deliveries=deliveries,
        request=request or Request(),
    )


def new_upload(*, account: str = "alice", uid: TaskUid | None = None) -> Upload:
    """A kept picture that no other equals."""
    uid = new_task_uid() if uid is None else uid
    return Upload(
        uid=uid,
        account=account,
        blob=upload_key(uid),
        media_type="image/webp",
        width_px=640,
        height_px=480,
        size_bytes=12_345,
    )


def take_errand(ledger: ReadableLedger) -> Errand:
    """An errand where one must be due."""
    errand = ledger.errands.take("courier-1", new_token())
    assert errand is not None
    return errand


def result_of(claim: Claim) -> Result:
    """What the claim's worker would have made."""
    return Result(
        blob=result_key(claim.task, claim.index, claim.token),
        media_type="image/png",
        width_px=640,
        height_px=480,
        size_bytes=12_345,
    )


class Ledger(ReadableLedger):
    """The ledger that is tested, with the steps that tests go through again and again."""

    def __init__(
        self,
        client: Redis,
        limits: LedgerLimits = LIMITS,
        *,
        key_prefix: str = KEY_PREFIX,
        clock: ManualClock | None = None,
    ) -> None:
        self.client, self.limits, self.key_prefix = client, limits, key_prefix
        self.clock = clock or ManualClock()
        super().__init__(client, limits, key_prefix=key_prefix, clock_offset_ms=self.clock.offset_ms)

    def limited(self, **limits: Any) -> Self:
        """The same records under other limits."""
        changed = self.limits.model_copy(update=limits)
        return type(self)(self.client, changed, key_prefix=self.key_prefix, clock=self.clock)

    def recall(self, account: str, idempotency: Repeats) -> TaskUid | None:
        """The task that a request has made already."""
        outlook = self.tasks.look(account, caps=AccountCaps(), idempotency=idempotency)
        if outlook.refusal is not None:
            raise outlook.refusal()
        return outlook.first

    def named(self, account: str, key: str) -> TaskUid | None:
        """The task or upload that an idempotency key stands for, whatever its content."""
        outlook, _ = self.tasks.poll_named(key, account)
        return outlook.first

    def submit(self, **facts: Any) -> NewTask:
        """A task, accepted."""
        task = new_task(**facts)
        self.tasks.create(task)
        return task

    def next_claim(self, lane: Lane = LANE, owner: str = "worker-1") -> Claim:
        """A claim where one must be had."""
        claim = self.claims.take([lane], owner, new_token())
        assert claim is not None
        return claim

    def no_claim(self) -> bool:
        """Whether there is nothing to be had for a worker."""
        return self.claims.take([LANE], "worker-1", new_token()) is None

    def claimed(self, **facts: Any) -> Claim:
        """A claim, once a task was accepted."""
        self.submit(**facts)
        return self.next_claim()

    def claimed_items(self, **facts: Any) -> list[Claim]:
        """Claims of all items of a task, once it was accepted."""
        return [self.next_claim() for _ in self.submit(**facts).items]

    def done(self, claim: Claim) -> bool:
        """FINISH with what the claim's worker would have made."""
        return self.claims.finish(claim, result_of(claim))

    def retry(self, uid: TaskUid, account: str = "alice", caps: AccountCaps | None = None) -> int:
        """How many items of a task an operator has wait again."""
        return self.tasks.retry(self.task(uid, account), caps or AccountCaps())

    def ended_task(self, **facts: Any) -> NewTask:
        """A task that was terminated at once: what it owes to others is due."""
        task = self.submit(**facts)
        assert self.tasks.terminate(task.uid, task.account)
        return task

    def next_errand(self) -> Errand:
        """An errand where one must be due."""
        return take_errand(self)

    def fetching(self, **facts: Any) -> Errand:
        """The errand of a task whose picture is still to be fetched."""
        self.submit(source_url=URL, **facts)
        return self.next_errand()

    def no_errand(self) -> bool:
        """Whether there is nothing to be had for a courier."""
        return self.errands.take("courier-1", new_token()) is None

    def upload(self, **facts: Any) -> Upload:
        """A picture, kept."""
        upload = new_upload(**facts)
        self.uploads.keep(upload)
        return upload

    def task(self, uid: TaskUid, account: str = "alice") -> Task:
        """A task as it stands."""
        task = self.tasks.get(uid, account)
        assert task is not None
        return task

    def item(self, of: Claim | Errand) -> Item:
        """The claim's or the errand's item as it stands."""
        return self.task(of.task, of.account).items[of.index]

    def used(self, account: str = "alice") -> Usage:
        """All that the account used on any day."""
        return sum(self.accounts.usage(date.min, date.max).get(account, {}).values(), Usage())

    def today(self) -> date:
        """The day by its clock, in UTC."""
        return datetime.fromtimestamp(self._now_seconds(), UTC).date()

    def wait_for_noon(self) -> date:
        """Put the clock forward, so that no day turns while a test runs; returns the day."""
        self.clock.advance((43_200 - self._now_seconds()) % 86_400)
        return self.today()

    def _now_seconds(self) -> float:
        seconds, _ = self.client.time()
        return float(seconds) + self.clock.offset_ms() / 1_000

    def error(self, of: Claim | Errand) -> ErrorFacts:
        """Why its item failed."""
        item = self.item(of)
        assert item.state is ItemState.FAILED
        assert item.error is not None
        return item.error


def run_at_once(count: int, call: Callable[[int], Answer]) -> list[Answer]:
    """The answers of `call(0)`, `call(1)` …, all started together in threads of their own."""
    barrier = threading.Barrier(count)

    def start(number: int) -> Answer:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def heard_by(events: TaskEvents) -> SimpleQueue[TaskUid]:
    """What a follower hears from now on."""
    heard: SimpleQueue[TaskUid] = SimpleQueue()
    events.follow(heard.put)
    assert events.subscribed.wait(PATIENCE_SECONDS)
    return heard

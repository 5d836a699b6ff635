"""What the tests of this package build: tasks, results, and calls that happen at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from cutgate.jobs.ids import TaskUid, new_task_uid, new_token, result_key, source_key, upload_key
from cutgate.jobs.ledger.errands import Errand
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import (
    Claim,
    Delivery,
    DeliveryKind,
    ErrorFacts,
    Idempotency,
    Item,
    NewItem,
    NewTask,
    Request,
    Result,
    Upload,
)
from cutgate.jobs.spec import CutoutSpec, Lane, lane_of
from tests.ledgers import FreshLedger

SPEC = CutoutSpec(model="isnet-general-use")
LANE = lane_of(SPEC)
OTHER_SPEC = CutoutSpec(model="u2netp")
OTHER_LANE = lane_of(OTHER_SPEC)
LIMITS = LedgerLimits()
ERROR = ErrorFacts(kind="processing_failed", message="the picture is damaged", details={"side": 7, "part": "Ä"})
URL = "https://pictures.example/ä.png?key=secret"
DELIVERIES = (
    Delivery(kind=DeliveryKind.UPLOAD, url="https://uploads.example/put?key=secret"),
    Delivery(kind=DeliveryKind.CALLBACK, url="https://calls.example/done"),
)

Answer = TypeVar("Answer")


class MakeLedger(Protocol):
    """Makes a ledger on the test's clock; all of one test see the same tasks."""

    def __call__(self, limits: LedgerLimits = ...) -> FreshLedger: ...


def new_task(
    *,
    account: str = "alice",
    item_count: int = 1,
    price: int = 1,
    spec: CutoutSpec = SPEC,
    idempotency: Idempotency | None = None,
    uid: TaskUid | None = None,
    source_url: str | None = None,
    keep: bool = False,
    deliveries: tuple[Delivery, ...] = (),
    request: Request | None = None,
) -> NewTask:
    """A task that no other equals."""
    uid = new_task_uid() if uid is None else uid
    items = tuple(
        NewItem(source=source_key(uid, index), spec=spec, price=price, source_url=source_url, keep=keep)
        for index in range(item_count)
    )
    return NewTask(
        uid=uid,
        account=account,
        origin="test",
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


def take_errand(ledger: RedisLedger) -> Errand:
    """An errand where one must be due."""
    errand = ledger.take_errand("courier-1", new_token())
    assert errand is not None
    return errand


def claim_next(ledger: RedisLedger, lane: Lane = LANE) -> Claim:
    """A claim where one must be had."""
    claim = ledger.claim([lane], "worker-1", new_token())
    assert claim is not None
    return claim


def result_of(claim: Claim) -> Result:
    """What the claim's worker would have made."""
    return Result(
        blob=result_key(claim.task, claim.index, claim.token),
        media_type="image/png",
        width_px=640,
        height_px=480,
        size_bytes=12_345,
    )


def item_of(ledger: RedisLedger, claim: Claim, account: str = "alice") -> Item:
    """The claim's item as it stands."""
    task = ledger.get(claim.task, account)
    assert task is not None
    return task.items[claim.index]


def run_at_once(count: int, call: Callable[[int], Answer]) -> list[Answer]:
    """The answers of `call(0)`, `call(1)` …, all started together in threads of their own."""
    barrier = threading.Barrier(count)

    def start(number: int) -> Answer:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))

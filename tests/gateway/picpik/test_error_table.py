"""The exact answer of each row of the protocol's table of errors. Fields: `test_fields.py`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.limits import LedgerLimits
from tests.fakes import MemoryBlobStore, failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, PUBLIC_KEY, Harness, signed
from tests.jobs.build import new_task
from tests.ledgers import FreshLedger

REQUEST_UUID = "0f6f2d54-6d0b-4c55-9a70-3b1c5a1c8a01"
TASK = "d5ari00q5cu0v880200g"


def request(action: str = "RemoveBackground", /, **fields: Any) -> str:
    """A signed request of one action."""
    picture = {"RawImage": pictures.BASE64_8X8} if action == "RemoveBackground" else {}
    params = {"Action": action, "PublicKey": PUBLIC_KEY, "request_uuid": REQUEST_UUID, **picture, **fields}
    return json.dumps(signed(params))


def altered(**changes: Any) -> str:
    """A signed request that was changed after it was signed; a member that is None is taken away."""
    params = {**json.loads(request()), **changes}
    return json.dumps({name: value for name, value in params.items() if value is not None})


Prepare = Callable[[Harness], Harness]


@dataclass(frozen=True)
class Case:
    """A row: a request, and its answer."""

    name: str
    status: int
    code: int
    message: str
    body: str
    action: str = "RemoveBackground"
    detail: str | None = None
    prepare: Prepare = lambda gateway: gateway
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the HTTP request."""


def with_store(make_store: Callable[[], FreshLedger]) -> Prepare:
    return lambda gateway: replace(gateway, store=make_store())


def with_little_left(gateway: Harness) -> Harness:
    gateway.store.accounts.grant(ACCOUNT, 1)
    gateway.submit()
    return gateway


def sent_before(gateway: Harness) -> Harness:
    gateway.post(request(Box=[1, 1, 7, 17]))
    return gateway


def without_blobs(gateway: Harness) -> Harness:
    return replace(gateway, blobs=failing(MemoryBlobStore(), put=BlobStoreUnavailable("no space")))


def with_small_bodies(gateway: Harness) -> Harness:
    return gateway.with_settings(max_source_bytes=100, max_body_bytes=70_000)


def full_ledger() -> FreshLedger:
    ledger = FreshLedger(LedgerLimits(account_queue_cap=1))
    ledger.tasks.create(new_task(account=ACCOUNT))
    return ledger


def full_without_429(gateway: Harness) -> Harness:
    return FULL(gateway.with_settings(throttle_status=200))


LISTING = request("ListTasksDetails", TaskUIDList=[TASK])
LONG = request("ListTasksDetails", TaskUIDList=[TASK], RawImage="A" * 100_000)
TERMINATION = request("TerminateTask", TaskUID=TASK)
UNNAMED = request("TerminateTask")
IN_FAULT = with_store(lambda: failing(FreshLedger(), tasks__unfinished=ZeroDivisionError("a fault of ours")))
WITHOUT_LEDGER = with_store(lambda: failing(FreshLedger(), tasks__poll=LedgerUnavailable("no answer")))
SLOW = with_store(lambda: FreshLedger(LedgerLimits(source_max_age_seconds=-1)))
FULL = with_store(full_ledger)
SMALL = with_store(lambda: FreshLedger(LedgerLimits(account_queue_cap=1)))

BROKEN = "Service error and break"
WRONG = "Signature VerifyAC Error"
TOO_OLD = "the pictures were uploaded too long ago; send them again"
QUEUED = "1 pictures of the account are queued, the cap is 1"
TOO_MANY = "the task has 2 pictures, of the account 1 may wait or run: send fewer at a time"
TWO = request("RemoveBackgroundsInBatch", RawImages=[pictures.BASE64_8X8] * 2)
TOO_GREAT = "must be 0 to 40"
GONE = "there is no such task, or its results have expired"
GAP = "the indices have a gap"
NO_FLAG = "must be true or false"
PRICE = "the price is 1 credits, 0 are available"
SEE = "see /docs or /openapi.json"
POSTED = f"/ takes POST; {SEE}"
NOWHERE = f"there is nothing at /api/remove; {SEE}"
COMPRESSED = {"headers": {"Content-Encoding": "gzip"}}

CASES = [
    Case("success", 200, 0, "", request()),
    Case("a fault of ours", 500, 130, BROKEN, request("ListRunningTasks"), "ListRunningTasks", prepare=IN_FAULT),
    Case("the ledger is away", 503, 130, BROKEN, LISTING, "ListTasksDetails", prepare=WITHOUT_LEDGER),
    Case("the blob store is away", 503, 130, BROKEN, request(), prepare=without_blobs),
    Case("accepted too late", 503, 150, "Service unavailable", request(), detail=TOO_OLD, prepare=SLOW),
    Case("full queue", 429, 153, "Request throttled", request(), detail=QUEUED, prepare=FULL),
    Case(
        "full queue without 429", 200, 153, "Request throttled", request(), detail=QUEUED, prepare=full_without_429
    ),
    Case(
        "more pictures than the cap",
        200,
        230,
        "Params [RawImages] not available",
        TWO,
        "RemoveBackgroundsInBatch",
        TOO_MANY,
        SMALL,
    ),
    Case("no body", 200, 160, "Missing Action", "", action=""),
    Case("Action absent", 200, 160, "Missing Action", altered(Action=None), action=""),
    Case("another method", 405, 160, "Method not allowed", "", "", POSTED, options={"method": "PUT"}),
    Case("another path", 404, 160, "No such path", "", "", NOWHERE, options={"path": "/api/remove"}),
    Case("a compressed body", 415, 160, "Content-Encoding not supported", "", action="", options=COMPRESSED),
    Case("unknown action", 200, 161, "Action [Generate] not found", altered(Action="Generate"), "Generate"),
    Case("Signature absent", 200, 170, "Missing signature", altered(Signature=None)),
    Case("Signature wrong", 200, 171, WRONG, altered(Signature="0" * 40)),
    Case("another body", 200, 171, WRONG, altered(OnlyMask=True)),
    Case("same signature, other content", 200, 171, WRONG, request(Box=[1, 1, 71, 7]), prepare=sent_before),
    Case("PublicKey unknown", 200, 172, "User Not Exists", altered(PublicKey="nobody")),
    Case("PublicKey absent", 200, 220, "Missing params [PublicKey]", altered(PublicKey=None)),
    Case("a field is missing", 200, 220, "Missing params [TaskUID]", UNNAMED, "TerminateTask", "is required"),
    Case("too great", 200, 230, "Params [ErodeSize] not available", request(ErodeSize=41), detail=TOO_GREAT),
    Case("unknown task", 200, 230, "Params [TaskUID] not available", TERMINATION, "TerminateTask", GONE),
    Case("no array", 200, 230, "Params [Box] not available", request(**{"Box.0": 1, "Box.2": 7}), detail=GAP),
    Case("a long body", 413, 230, "Request body too large", LONG, "ListTasksDetails", prepare=with_small_bodies),
    Case("wrong type", 200, 310, "Params [OnlyMask] type error", request(OnlyMask=1), detail=NO_FLAG),
    Case("no credits", 200, 520, "Insufficient balance", request(), detail=PRICE, prepare=with_little_left),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}")
def test_row(gateway: Harness, case: Case) -> None:
    client = case.prepare(gateway).app.test_client()
    response = client.open(**{"path": "/", "method": "POST", "data": case.body} | dict(case.options))
    assert (response.status_code, response.mimetype) == (case.status, "application/json")
    assert ("Retry-After" in response.headers) == (case.status in {429, 503} or case.code == 153)
    answer = response.get_json()
    request_uuid = answer.pop("request_uuid")
    assert request_uuid == REQUEST_UUID if case.action else request_uuid
    assert bool(answer.pop("TaskUID", None)) is (case.code == 0)
    expected = {"RetCode": case.code, "Action": case.action, "Message": case.message}
    assert answer == expected | ({} if case.detail is None else {"Detail": case.detail})

"""The protocol's table of errors, a row each: what triggers it, and the exact answer. Fields: `test_fields.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import TestResponse

from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.limits import LedgerLimits
from tests.fakes import MemoryBlobStore, failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, PUBLIC_KEY, Harness, make_settings, signed
from tests.ledgers import FreshLedger

REQUEST_UUID = "0f6f2d54-6d0b-4c55-9a70-3b1c5a1c8a01"
TASK = "d5ari00q5cu0v880200g"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row: a request, and its answer."""

    name: str
    code: int
    message: str
    action: str = "RemoveBackground"
    status: int = 200
    detail: str | None = None
    body: Callable[[], bytes | str]
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = "/"
    prepare: Callable[[Harness], None] = lambda _: None

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


def request(action: str = "RemoveBackground", /, **fields: Any) -> Callable[[], str]:
    """A signed request of one action; a field that is None is left out."""
    picture = {"RawImage": pictures.BASE64_8X8} if action == "RemoveBackground" else {}
    params = {"Action": action, "PublicKey": PUBLIC_KEY, "request_uuid": REQUEST_UUID, **picture, **fields}
    return lambda: json.dumps(signed({name: value for name, value in params.items() if value is not None}))


def altered(**changes: Any) -> Callable[[], str]:
    """A signed request that was changed after it was signed; a member that is None is taken away."""

    def body() -> str:
        params = {**json.loads(request()()), **changes}
        return json.dumps({name: value for name, value in params.items() if value is not None})

    return body


def with_store(make_store: Callable[[], FreshLedger]) -> Callable[[Harness], None]:
    def prepare(gateway: Harness) -> None:
        gateway.store = make_store()
        gateway.app = gateway.make_app(gateway.settings)

    return prepare


def without_blobs(gateway: Harness) -> None:
    gateway.app = gateway.make_app(
        gateway.settings, blobs=failing(MemoryBlobStore(), put=BlobStoreUnavailable("no space"))
    )


def with_small_bodies(gateway: Harness) -> None:
    settings = make_settings(max_source_bytes=100, max_body_bytes=70_000, body_memory_bytes=1_000)
    gateway.app = gateway.make_app(settings)


def broke(gateway: Harness) -> None:
    gateway.store.grant(ACCOUNT, 1)
    gateway.submit()


def repeated(gateway: Harness) -> None:
    gateway.post(request(Box=[1, 1, 7, 17])())


def long_list() -> str:
    """A task list of more bytes than a body of its action may have."""
    return request("ListTasksDetails", TaskUIDList=[TASK], RawImage="A" * 100_000)()


def nothing() -> str:
    return ""


FULL = LedgerLimits(account_queue_cap=0)
CASES = [
    Case(name="success", code=0, message="", body=request()),
    Case(
        name="a fault of this server",
        code=130,
        message="Service error and break",
        status=500,
        action="ListRunningTasks",
        body=request("ListRunningTasks"),
        prepare=with_store(lambda: failing(FreshLedger(), unfinished=ZeroDivisionError("a fault of ours"))),
    ),
    Case(
        name="the ledger is away",
        code=130,
        message="Service error and break",
        status=503,
        action="ListTasksDetails",
        body=request("ListTasksDetails", TaskUIDList=[TASK]),
        prepare=with_store(lambda: failing(FreshLedger(), get_many=LedgerUnavailable("no answer"))),
    ),
    Case(
        name="the blob store is away",
        code=130,
        message="Service error and break",
        status=503,
        body=request(),
        prepare=without_blobs,
    ),
    Case(
        name="a task that took too long to be accepted",
        code=150,
        message="Service unavailable",
        status=503,
        detail="the pictures were uploaded too long ago; send them again",
        body=request(),
        prepare=with_store(lambda: FreshLedger(LedgerLimits(source_max_age_seconds=-1))),
    ),
    Case(
        name="the account's queue is full",
        code=153,
        message="Request throttled",
        status=429,
        detail="0 pictures of the account are queued, the cap is 0",
        body=request(),
        prepare=with_store(lambda: FreshLedger(FULL)),
    ),
    Case(name="no body", code=160, message="Missing Action", action="", body=nothing),
    Case(name="no object", code=160, message="Missing Action", action="", body=lambda: "[]"),
    Case(name="duplicate names", code=160, message="Missing Action", action="", body=lambda: '{"a":1,"a":2}'),
    Case(name="Action absent", code=160, message="Missing Action", action="", body=altered(Action=None)),
    Case(name="Action empty", code=160, message="Missing Action", action="", body=altered(Action="")),
    Case(name="Action a number", code=160, message="Missing Action", action="", body=altered(Action=7)),
    Case(
        name="another method",
        code=160,
        message="Missing Action",
        status=405,
        method="PUT",
        action="",
        body=nothing,
    ),
    Case(name="another path", code=160, message="Missing Action", status=404, path="/v2", action="", body=nothing),
    Case(
        name="a compressed body",
        code=160,
        message="Content-Encoding not supported",
        status=415,
        headers={"Content-Encoding": "gzip"},
        action="",
        body=nothing,
    ),
    Case(
        name="unknown action",
        code=161,
        message="Action [GenerateImages] not found",
        action="GenerateImages",
        body=altered(Action="GenerateImages"),
    ),
    Case(name="Signature absent", code=170, message="Missing signature", body=altered(Signature=None)),
    Case(name="Signature empty", code=170, message="Missing signature", body=altered(Signature="")),
    Case(name="Signature a number", code=170, message="Missing signature", body=altered(Signature=7)),
    Case(name="Signature short", code=171, message="Signature VerifyAC Error", body=altered(Signature="0" * 39)),
    Case(name="Signature wrong", code=171, message="Signature VerifyAC Error", body=altered(Signature="0" * 40)),
    Case(name="another body", code=171, message="Signature VerifyAC Error", body=altered(OnlyMask=True)),
    Case(
        name="same signature, other content",
        code=171,
        message="Signature VerifyAC Error",
        body=request(Box=[1, 1, 71, 7]),
        prepare=repeated,
    ),
    Case(name="PublicKey unknown", code=172, message="User Not Exists", body=altered(PublicKey="nobody")),
    Case(name="PublicKey absent", code=220, message="Missing params [PublicKey]", body=altered(PublicKey=None)),
    Case(
        name="a required field",
        code=220,
        message="Missing params [TaskUID]",
        action="TerminateTask",
        detail="Field required",
        body=request("TerminateTask"),
    ),
    Case(
        name="out of range",
        code=230,
        message="Params [ErodeSize] not available",
        detail="Input should be less than or equal to 40",
        body=request(ErodeSize=41),
    ),
    Case(
        name="unknown task",
        code=230,
        message="Params [TaskUID] not available",
        action="TerminateTask",
        detail="there is no such task, or its results have expired",
        body=request("TerminateTask", TaskUID=TASK),
    ),
    Case(
        name="elements that are no array",
        code=230,
        message="Params [Box] not available",
        detail="the indices have a gap",
        body=request(**{"Box.0": 1, "Box.2": 7}),
    ),
    Case(
        name="a body over the limit of its action",
        code=230,
        message="Request body too large",
        status=413,
        action="ListTasksDetails",
        body=long_list,
        prepare=with_small_bodies,
    ),
    Case(
        name="wrong type",
        code=310,
        message="Params [OnlyMask] type error",
        detail="must be true or false",
        body=request(OnlyMask=1),
    ),
    Case(
        name="credits",
        code=520,
        message="Insufficient balance",
        detail="the price is 1 credits, 0 are available",
        body=request(),
        prepare=broke,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_row(gateway: Harness, case: Case) -> None:
    case.prepare(gateway)
    response = gateway.app.test_client().open(
        case.path, method=case.method, data=case.body(), headers=case.headers
    )
    assert (response.status_code, response.mimetype) == (case.status, "application/json")
    assert ("Retry-After" in response.headers) == (case.status in {429, 503})
    check(response, case)


def check(response: TestResponse, case: Case) -> None:
    answer = response.get_json()
    request_uuid = answer.pop("request_uuid")
    assert request_uuid == REQUEST_UUID if case.action else request_uuid
    if case.code == 0:
        assert answer.pop("TaskUID")
    expected = {"RetCode": case.code, "Action": case.action, "Message": case.message}
    assert answer == (expected if case.detail is None else {**expected, "Detail": case.detail})


def test_the_status_of_a_throttled_answer_is_a_setting(gateway: Harness) -> None:
    app = gateway.make_app(make_settings(throttle_status=200), store=FreshLedger(FULL))
    response = app.test_client().post("/", data=request()())
    assert (response.status_code, response.get_json()["RetCode"], response.headers["Retry-After"]) == (
        200,
        153,
        "2",
    )

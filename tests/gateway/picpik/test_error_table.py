"""Tests of PICPIK's exact answers: what each of its codes says beside the code. Fields: `test_fields.py`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from cutgate.jobs.limits import LedgerLimits
from tests.gateway import picture_files as pictures
from tests.gateway.harness import PUBLIC_KEY, Harness, signed
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
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the HTTP request."""


TERMINATION = request("TerminateTask", TaskUID=TASK)
UNNAMED = request("TerminateTask")
WRONG = "Signature VerifyAC Error"
NO_FLAG = "must be true or false"
TOO_GREAT = "must be 0 to 40"
GONE = "there is no such task, or its results have expired"
SEE = "see /docs or /openapi.json"
POSTED = f"/ takes POST; {SEE}"
NOWHERE = f"there is nothing at /api/remove; {SEE}"
COMPRESSED = {"headers": {"Content-Encoding": "gzip"}}

CASES = [
    Case("success", 200, 0, "", request()),
    Case("no body", 200, 160, "Missing Action", "", action=""),
    Case("Action absent", 200, 160, "Missing Action", altered(Action=None), action=""),
    Case("another method", 405, 160, "Method not allowed", "", "", POSTED, options={"method": "PUT"}),
    Case("another path", 404, 160, "No such path", "", "", NOWHERE, options={"path": "/api/remove"}),
    Case("a compressed body", 415, 160, "Content-Encoding not supported", "", action="", options=COMPRESSED),
    Case("unknown action", 200, 161, "Action [Generate] not found", altered(Action="Generate"), "Generate"),
    Case("Signature absent", 200, 170, "Missing signature", altered(Signature=None)),
    Case("Signature wrong", 200, 171, WRONG, altered(Signature="0" * 40)),
    Case("another body", 200, 171, WRONG, altered(OnlyMask=True)),
    Case("PublicKey unknown", 200, 172, "User Not Exists", altered(PublicKey="nobody")),
    Case("PublicKey absent", 200, 220, "Missing params [PublicKey]", altered(PublicKey=None)),
    Case("a field is missing", 200, 220, "Missing params [TaskUID]", UNNAMED, "TerminateTask", "is required"),
    Case("too great", 200, 230, "Params [ErodeSize] not available", request(ErodeSize=41), detail=TOO_GREAT),
    Case("unknown task", 200, 230, "Params [TaskUID] not available", TERMINATION, "TerminateTask", GONE),
    Case("wrong type", 200, 310, "Params [OnlyMask] type error", request(OnlyMask=1), detail=NO_FLAG),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.name}")
def test_row(gateway: Harness, case: Case) -> None:
    response = gateway.open(**{"path": "/", "method": "POST", "data": case.body} | dict(case.options))
    assert (response.status_code, response.mimetype) == (case.status, "application/json")
    answer = response.get_json()
    request_uuid = answer.pop("request_uuid")
    assert request_uuid == REQUEST_UUID if case.action else request_uuid
    assert bool(answer.pop("TaskUID", None)) is (case.code == 0)
    expected = {"RetCode": case.code, "Action": case.action, "Message": case.message}
    assert answer == expected | ({} if case.detail is None else {"Detail": case.detail})


def assert_answer(gateway: Harness, body: str, status: int, code: int, message: str, detail: str) -> None:
    response = gateway.post(body)
    answer = response.get_json()
    assert (response.status_code, answer["RetCode"]) == (status, code)
    assert (answer["Message"], answer["Detail"]) == (message, detail)
    assert ("Retry-After" in response.headers) == (code in {150, 153})


@pytest.mark.parametrize("status", [429, 200])
def test_a_full_queue_has_the_status_of_the_settings(gateway: Harness, status: int) -> None:
    gateway.store = FreshLedger(LedgerLimits(account_queue_cap=1))
    gateway = gateway.with_settings(throttle_status=status)
    gateway.submit()
    told = "1 pictures of the account are queued, the cap is 1"
    assert_answer(gateway, request(), status, 153, "Request throttled", told)


def test_a_batch_that_never_fits_is_no_full_queue(gateway: Harness) -> None:
    gateway.store = FreshLedger(LedgerLimits(account_queue_cap=1))
    batch = request("RemoveBackgroundsInBatch", RawImages=[pictures.BASE64_8X8] * 2)
    told = "the task has 2 pictures, of the account 1 may wait or run: send fewer at a time"
    assert_answer(gateway.with_settings(), batch, 200, 230, "Params [RawImages] not available", told)


def test_pictures_that_took_too_long_to_arrive_may_come_again(gateway: Harness) -> None:
    gateway.store = FreshLedger(LedgerLimits(source_max_age_seconds=-1))
    told = "the pictures were uploaded too long ago; send them again"
    assert_answer(gateway.with_settings(), request(), 503, 150, "Service unavailable", told)

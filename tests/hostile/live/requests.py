"""Signed requests to the running gateway: changed ones, and what schemathesis makes of its description."""

import json
import random
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings

from cutgate.gateway.picpik.errors import ROWS
from cutgate.gateway.removebg.errors import ROWS as ROWS_OF_REMOVEBG
from cutgate.signing import SigningError, parse_body, sign_params
from tests.hostile.judgement import Findings, Outcome
from tests.hostile.live.service import Target
from tests.hostile.mutation import damaged, json_bytes
from tests.hostile.texts import make_removebg, make_runware, signed_json
from tests.waiting import eventually

_CODES: Final = {0} | {row.ret_code for row in ROWS.values()} - {130}
"""Codes of answers; that of a fault of the server is none of them."""
_SIDE_PX: Final = 5_000
_JSON: Final = {"Content-Type": "application/json"}


def attack(target: Target, findings: Findings, chance: random.Random, count: int) -> None:
    """Send so many requests, four in five of our own making."""
    by_description = count // 5
    with httpx.Client(base_url=target.url, timeout=30) as http:
        for number in range(count - by_description):
            findings.add(_timed(number, lambda: _send(target, http, chance)))
        _send_by_description(target, http, findings, chance, by_description)


def send_by_url(target: Target, findings: Findings, _chance: random.Random, count: int) -> None:
    """Have large pictures fetched, each for an account of its own, and see what they take of its rate."""
    for number in range(count):
        name = f"by-url-{number}"
        key = target.service.add_api_key(name)
        target.service.keys("account", name, "--submits-per-second", "1")  # as many megapixels
        url = f"{target.service.backgrounds_url}/ffffff?{_SIDE_PX}"
        httpx.post(f"{target.url}/v1.0/removebg", data={"image_url": url}, headers={"X-Api-Key": key}, timeout=30)
        findings.add(Outcome(number=number))
        try:
            eventually(partial(_has_taken, target, name), 60)
        except AssertionError:
            findings.blame("a picture by URL is not counted by its size")
        for uid in target.service.ledger.tasks.unfinished(name):
            target.service.ledger.tasks.terminate(uid, name)


def _has_taken(target: Target, account: str) -> bool:
    """Whether an account's rate is taken for as many seconds as its picture has megapixels, or nearly so."""
    redis = target.service.client
    until_us = [int(redis.get(name) or 0) for name in redis.scan_iter(f"*:places:removebg:{account}")]
    return any(each / 10**6 - time.time() > _SIDE_PX**2 / 10**6 - 5 for each in until_us)


def _timed(number: int, send: Callable[[], tuple[bytes, str]]) -> Outcome:
    began = time.monotonic()
    try:
        body, fault = send()
    except httpx.TransportError as error:
        body, fault = b"", f"no answer: {type(error).__name__}"
    return Outcome(number=number, size_bytes=len(body), seconds=time.monotonic() - began, fault=fault)


def _send(target: Target, http: httpx.Client, chance: random.Random) -> tuple[bytes, str]:
    """One request of any protocol, and what is wrong with its answer."""
    if chance.random() < 0.25:
        body = make_runware(chance, 0)
        key = {"Authorization": f"Bearer {target.api_key}"}
        return body, _runware_fault(http.post("/v1", content=body, headers=_JSON | key))
    if chance.random() < 0.25:
        fields = make_removebg(chance, 0)
        headers = {"Content-Type": fields.media_type, "X-Api-Key": target.api_key}
        path = chance.choice(("/v1.0/removebg", "/v1.0/removebg", "/v1.0/improve"))
        return fields.data, _removebg_fault(http.post(path, content=fields.data, headers=headers))
    body = json_bytes(_signed(target, signed_json(chance)))
    if chance.random() < 0.3:
        body = damaged(body, [body], [], chance)
    return body, _fault(http.post("/", content=body, headers=_JSON))


def _signed(target: Target, params: dict[str, Any]) -> dict[str, Any]:
    """A request with the account's key and its signature, where it can be signed at all."""
    own = {**params, "PublicKey": target.credentials.public_key}
    own.pop("Signature", None)
    with suppress(SigningError):
        own["Signature"] = sign_params(parse_body(json.dumps(own)), target.credentials.private_key)
    return own


def _fault(answer: httpx.Response) -> str:
    try:
        code = answer.json()["RetCode"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} without the form of an answer"
    return "" if code in _CODES else f"answered with code {code}"


def _runware_fault(answer: httpx.Response) -> str:
    try:
        members = answer.json()
        codes = {item["code"] for item in members.get("errors", [])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {answer.status_code} without the form of an answer"
    return "answered as a fault of the server" if "internalServerError" in codes else ""


def _removebg_fault(answer: httpx.Response) -> str:
    if answer.status_code == 200:
        return ""
    try:
        codes = {error["code"] for error in answer.json()["errors"]}
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} without the form of an answer"
    return "" if codes <= ROWS_OF_REMOVEBG.keys() - {"internal_error"} else f"answered with code {codes}"


def _send_by_description(
    target: Target, http: httpx.Client, findings: Findings, chance: random.Random, count: int
) -> None:
    """What `/openapi.json` allows, signed; answers are held to what it says of them."""
    import schemathesis  # only here, for it takes long to import

    schema = schemathesis.openapi.from_url(f"{target.url}/openapi.json")
    cases = schema["/"]["POST"].as_strategy()

    @seed(chance.getrandbits(32))
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case: Any) -> None:
        findings.add(_timed(findings.inputs, lambda: _send_case(target, http, case)))

    with warnings.catch_warnings(action="ignore"):  # of what the library itself uses
        send()


def _send_case(target: Target, http: httpx.Client, case: Any) -> tuple[bytes, str]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

    checks = [not_a_server_error, response_schema_conformance, status_code_conformance]
    body = json_bytes(_signed(target, case.body) if isinstance(case.body, dict) else case.body)
    answer = http.post("/", content=body, headers=_JSON)
    try:
        case.validate_response(answer, checks=checks)
    except BaseExceptionGroup as failed:
        return body, f"not as described: {type(failed.exceptions[0]).__name__}"
    return body, _fault(answer)

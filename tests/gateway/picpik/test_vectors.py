"""Tests of PICPIK: the signature vectors against the whole gateway."""

import json
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import pytest

from cutgate.gateway.picpik.actions import ACTIONS, Action
from cutgate.gateway.picpik.answers import Answer
from cutgate.gateway.picpik.requests import Plain
from cutgate.signing import dump_body
from tests.gateway.harness import Harness
from tests.signing.vector_cases import NOT_RUN, VECTORS, Vector

FILE = Path(__file__).parents[2] / "signing" / "vectors" / "picpik_vectors.json"
CODES = {
    case["name"]: case["expect_ret_code"] for case in json.loads(FILE.read_bytes()) if "expect_ret_code" in case
}
CASES = [case for case in VECTORS if case.name in CODES]
GO = [case for case in VECTORS if case.accepts_optional and case.name not in NOT_RUN]


@pytest.fixture(autouse=True)
def _probe(monkeypatch: pytest.MonkeyPatch) -> None:
    actions = cast("dict[str, Action[Any, Any]]", ACTIONS)
    monkeypatch.setitem(actions, "Probe", Action(Plain, Answer, lambda request, caller, services: Answer()))


@pytest.mark.parametrize("case", CASES, ids=attrgetter("name"))
def test_vector(gateway: Harness, case: Vector) -> None:
    assert gateway.code(case.signed_body()) == CODES[case.name]


@pytest.mark.parametrize("case", GO, ids=attrgetter("name"))
@pytest.mark.parametrize(("changes", "code"), [({}, 0), ({"go_numbers": False}, 171)])
def test_signatures_of_the_go_signer(gateway: Harness, case: Vector, changes: dict[str, bool], code: int) -> None:
    gateway = gateway.with_settings(ignore_unknown_fields=True, **changes)
    for signature in case.accepts_optional:
        assert gateway.code(dump_body({**case.params, "Signature": signature})) == code

"""The signature vectors that say what a whole server answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.picpik.actions import ACTIONS
from tests.test_gateway.harness import Harness
from tests.test_signing.vector_cases import VECTORS

FILE = Path(__file__).parents[1] / "test_signing" / "vectors" / "picpik_vectors.json"
CODES = {
    case["name"]: case["expect_ret_code"] for case in json.loads(FILE.read_bytes()) if "expect_ret_code" in case
}
CASES = [case for case in VECTORS if case.name in CODES]


def test_there_are_as_many_as_are_known() -> None:
    assert len(CASES) == 22
    assert sum(case.params["Action"] in ACTIONS for case in CASES) == 10


@pytest.mark.parametrize("name", CODES)
def test_vector(memory_gateway: Harness, name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)
    # An action that this server does not know is told before its signature is looked at.
    expected = CODES[name] if case.params["Action"] in ACTIONS else 161
    assert memory_gateway.answer(memory_gateway.post(case.signed_body()))["RetCode"] == expected

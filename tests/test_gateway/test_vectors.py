"""The signature vectors that say what a whole server answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.picpik.actions import ACTIONS
from tests.test_gateway.harness import Harness

FILE = Path(__file__).parents[1] / "test_signing" / "vectors" / "picpik_vectors.json"
VECTORS = {case["name"]: case for case in json.loads(FILE.read_text("utf-8")) if "expect_ret_code" in case}


def body_of(case: dict[str, Any]) -> str:
    carrier = case.get("presented_as", "Signature")
    presented = json.dumps(case.get("presented_signature", case["signature"]))
    return f'{case["params_text"].rstrip()[:-1]},"{carrier}":{presented}}}'


def test_there_are_as_many_as_are_known() -> None:
    assert len(VECTORS) == 22
    assert sum(case["params"]["Action"] in ACTIONS for case in VECTORS.values()) == 10


@pytest.mark.parametrize("name", VECTORS)
def test_vector(memory_gateway: Harness, name: str) -> None:
    case = VECTORS[name]
    # An action that this server does not know is told before its signature is looked at.
    expected = case["expect_ret_code"] if case["params"]["Action"] in ACTIONS else 161
    assert memory_gateway.answer(memory_gateway.post(body_of(case)))["RetCode"] == expected

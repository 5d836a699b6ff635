"""Whatever is sent is answered in the protocol's form, and a refusal leaves nothing behind."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.picpik.actions import ACTIONS
from gateway.picpik.errors import ROWS
from tests.test_gateway import pictures
from tests.test_gateway.harness import PUBLIC_KEY, Harness, signed

CODES = {row.ret_code for row in ROWS.values()}

# The fixture is shared between examples; each example leaves it as it was, or is told apart by its answer.
SHARED = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3)
)
names = st.sampled_from(
    [
        *("RawImage", "Box", "Box.0", "Box.1", "ErodeSize", "ForegroundThreshold", "BackgroundThreshold"),
        *("HairOptimization", "OnlyMask", "request_uuid", "TaskUIDList", "TaskUIDList.1", "Zone", "signature"),
    ]
)
positions = st.integers(0, len(pictures.BASE64_8X8) - 1)


def check(gateway: Harness, body: bytes | str, **options: Any) -> int:
    response = gateway.post(body, **options)
    assert response.mimetype == "application/json"
    assert response.status_code == 200, response.data
    answer = response.get_json()
    assert answer.keys() >= {"RetCode", "Action", "Message", "request_uuid"}
    assert answer["RetCode"] in CODES | {0}
    if answer["RetCode"]:
        gateway.assert_nothing_left()
    return int(answer["RetCode"])


@SHARED
@given(body=st.binary(max_size=200), form=st.booleans())
def test_any_bytes(memory_gateway: Harness, body: bytes, form: bool) -> None:
    check(memory_gateway, body, content_type="application/x-www-form-urlencoded" if form else None)


@SHARED
@given(action=st.sampled_from([*ACTIONS]), fields=st.dictionaries(names | st.text(max_size=8), values, max_size=6))
def test_any_signed_fields(memory_gateway: Harness, action: str, fields: dict[str, Any]) -> None:
    params = {**fields, "Action": action, "PublicKey": PUBLIC_KEY}
    check(memory_gateway, json.dumps(signed(params)))


@SHARED
@given(edits=st.lists(st.tuples(positions, st.characters(codec="ascii")), min_size=1, max_size=3))
def test_any_damaged_picture(memory_gateway: Harness, edits: list[tuple[int, str]]) -> None:
    text = list(pictures.BASE64_8X8)
    for position, character in edits:
        text[position] = character
    code = check(memory_gateway, json.dumps(memory_gateway.signed_picture("".join(text))))
    if not code:
        memory_gateway.blobs.delete(memory_gateway.claim().source)
        memory_gateway.hints.clear()

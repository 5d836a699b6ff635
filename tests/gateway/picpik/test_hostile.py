"""Tests of PICPIK: whatever is signed is answered in the protocol's form, and a refusal leaves nothing."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutgate.gateway.picpik.errors import ROWS
from cutgate.jobs.ids import TaskUid
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, PUBLIC_KEY, Harness, signed
from tests.ledgers import lose_hints

CODES = {row.ret_code for row in ROWS.values()} - {130, 150}
TASK = "d5ari00q5cu0v880200g"
FORM = "application/x-www-form-urlencoded"

# The fixture is shared between examples; each example leaves it as it was.
SHARED = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3)
)
names = st.sampled_from(
    [
        *("RawImage", "RawImages", "RawImages.0", "Box", "Box.0", "Box.1", "ErodeSize", "ForegroundThreshold"),
        *("BackgroundThreshold", "HairOptimization", "OnlyMask", "request_uuid", "TaskUIDList", "TaskUIDList.1"),
        *("TaskUIDs", "TaskUID", "WaitSeconds", "Zone", "signature"),
    ]
)
SOUND: list[dict[str, Any]] = [
    {"Action": "RemoveBackground", "RawImage": pictures.BASE64_8X8, "Box": [1, 1, 7, 7], "OnlyMask": True},
    {"Action": "RemoveBackgroundsInBatch", "RawImages": [pictures.BASE64_8X8] * 3, "ErodeSize": 3},
    {"Action": "ListTasksDetails", "TaskUIDList": [TASK], "WaitSeconds": 1},
    {"Action": "ListGenerateTaskDetail", "TaskUIDs": [TASK]},
    {"Action": "TerminateTask", "TaskUID": TASK},
    {"Action": "GetCreditBalance"},
]
pieces = st.binary(max_size=3) | st.sampled_from([*b'"\\{}[],:'])
changes_of_text = st.tuples(st.integers(0, 10_000), st.integers(0, 3), pieces)
positions = st.integers(0, len(pictures.BASE64_8X8) - 1)


@pytest.fixture
def in_files(gateway: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """A gateway that leaves all bodies in files."""
    monkeypatch.setattr("cutgate.gateway.bodies.MEMORY_BYTES", 16)
    return gateway


def check(gateway: Harness, body: bytes | str, **options: Any) -> None:
    """Send a body, hold the answer to the protocol's form, and clear away what it made."""
    response = gateway.post(body, **options)
    assert response.mimetype == "application/json"
    assert response.status_code == 200, response.data
    answer = response.get_json()
    assert answer.keys() >= {"RetCode", "Action", "Message", "request_uuid"}
    assert answer["RetCode"] in CODES | {0}
    if "TaskUID" in answer:
        gateway.store.tasks.terminate(TaskUid(answer["TaskUID"]), ACCOUNT)
        for key in gateway.stored():
            gateway.blobs.delete(key)
        lose_hints(gateway.store)
    gateway.assert_nothing_left()


@SHARED
@given(sound=st.sampled_from(SOUND), changes=st.dictionaries(names, values, max_size=2), form=st.booleans())
def test_any_signed_change_of_a_sound_request(
    gateway: Harness, sound: dict[str, Any], changes: dict[str, Any], form: bool
) -> None:
    params = {**sound, **changes, "PublicKey": PUBLIC_KEY}
    if form:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        check(gateway, urlencode(signed(texts), errors="replace"), content_type=FORM)
    else:
        check(gateway, json.dumps(signed(params)))


@SHARED
@given(sound=st.sampled_from(SOUND), edits=st.lists(changes_of_text, min_size=1, max_size=4))
def test_any_change_of_a_signed_body(
    in_files: Harness, sound: dict[str, Any], edits: list[tuple[int, int, bytes | int]]
) -> None:
    body = bytearray(json.dumps(signed({**sound, "PublicKey": PUBLIC_KEY})).encode())
    for position, removed, added in edits:
        start = position % (len(body) + 1)
        body[start : start + removed] = added if isinstance(added, bytes) else bytes([added])
    check(in_files, bytes(body))


@SHARED
@given(edits=st.lists(st.tuples(positions, st.characters(codec="ascii")), min_size=1, max_size=3))
def test_any_damaged_picture(in_files: Harness, edits: list[tuple[int, str]]) -> None:
    text = list(pictures.BASE64_8X8)
    for position, character in edits:
        text[position] = character
    check(in_files, json.dumps(in_files.signed_picture("".join(text))))

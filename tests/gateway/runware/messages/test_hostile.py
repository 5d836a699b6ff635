"""Tests of Runware: whatever tasks come, the answer is the protocol's and never a fault of the server."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutgate.gateway.runware.messages.requests import Removal
from cutgate.gateway.runware.tasks.actions import ACTIONS
from tests.gateway.runware.service import TINY_PICTURE, Service, make_service, new_uuid

NAMES = sorted(
    {field.alias or "" for field in Removal.model_fields.values()} | {"operation", "media", "image", "ping"}
)
KNOWN = st.sampled_from(
    [TINY_PICTURE, new_uuid(), "https://host.example/a.png", "PNG", "URL", "async", "upload", "getDetails"]
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=20) | KNOWN
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
TASKS = st.fixed_dictionaries(
    {"taskType": st.sampled_from([*ACTIONS, "ping", "authentication"]) | VALUES},
    optional={"taskUUID": st.just(new_uuid()) | st.uuids().map(str) | VALUES} | dict.fromkeys(NAMES, VALUES),
)


@pytest.fixture(scope="module")
def service() -> Service:
    return make_service(runware_sync_seconds=0.001, submits_per_second=10**6)


def check(service: Service, body: str | bytes) -> dict[str, Any]:
    answer = service.post(body)
    members = answer.get_json()
    assert set(members) <= {"data", "errors", "error"}
    assert members
    for item in members.get("errors", []):
        assert item["code"]
        assert item["message"]
        assert item["code"] != "internalServerError", item
    assert all(members.values())
    assert isinstance(members, dict)
    return members


@settings(max_examples=100, deadline=None)
@given(tasks=st.lists(TASKS, min_size=1, max_size=3))
def test_any_tasks(service: Service, tasks: list[dict[str, Any]]) -> None:
    members = check(service, json.dumps(tasks))
    if "error" not in members:
        answered = len(members.get("data", [])) + len(members.get("errors", []))
        assert len(tasks) - 1 <= answered <= len(tasks)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '[{"a":' * 50_000,
        '[{"taskType":"ping","a":1e999999999}]',
        '[{"taskType":"ping","a":' + "9" * 5_000 + "}]",
        '[{"taskType":"getResponse","taskUUID":"' + "a" * 10**6 + '"}]',
        '[{"taskType":"' + "x" * 10**6 + '"}]',
        '[{"' + "k" * 10**6 + '":null}]',
        "[" + ",".join(["{}"] * 20_000) + "]",
    ],
    ids=range(8),
)
def test_bodies_that_are_made_to_cost(service: Service, body: str) -> None:
    members = check(service, body)
    assert len(str(members)) < 10_000

"""Every line of every process, after all that callers do: JSON, with the ids, without a secret."""

import base64
import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.observed.callers import BROKEN, REQUEST_UUID, WRONG_KEY
from tests.end_to_end.observed.observation import PICTURE, Observed
from tests.servers.stack import ROOT
from tests.waiting import eventually

pytestmark = pytest.mark.long

PAGE = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
ALWAYS = {"event", "level", "logger", "timestamp"}
Line = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def lines(worked: Observed) -> list[Line]:
    return worked.lines()


def promised() -> dict[str, set[str]]:
    """The page's list: events and the fields that their lines have."""
    rows = re.findall(r"^- `([a-z_]+)` \(\w+(?:: ([^)]*))?\): ", PAGE.partition("## Events")[2], re.MULTILINE)
    assert len(rows) > 10
    return {event: set(re.findall(r"`([a-z_]+)`", fields)) for event, fields in rows}


def test_each_has_what_all_have_and_the_fields_that_the_page_promises(lines: list[Line]) -> None:
    assert {part for part, _ in lines} == {"gateway", "courier", "worker-1"}
    seen, table = {line["event"] for _, line in lines}, promised()
    assert seen >= {"request", "task_answered", "task_refused", "item_done", "item_failed", "delivered"}
    for part, line in lines:
        assert line.keys() >= ALWAYS | table.get(line["event"], set()), (part, line)
        assert line["level"] in {"debug", "info", "warning", "error"}


def test_nothing_fails_that_should_not(lines: list[Line]) -> None:
    assert not [line for _, line in lines if line["level"] == "error" or "exception" in line]


ITEM = {"request_uuid", "task_uid", "account", "item", "attempt"}
BELONGING = {
    ("gateway", "cutgate.gateway."): {"request_uuid"},
    ("worker-1", "cutgate.worker.process.runner"): ITEM,
    ("courier", "cutgate.courier.errands"): ITEM | {"errand", "host"},
}
"""What the lines have that come from code which works on a request, an item or an errand."""


@pytest.mark.parametrize(("part", "logger"), BELONGING)
def test_what_they_belong_to(lines: list[Line], part: str, logger: str) -> None:
    about = [line for name, line in lines if name == part and line["logger"].startswith(logger)]
    about = [line for line in about if line["event"] != "listening"]
    assert len(about) > 2
    for line in about:
        assert all(line.get(name) not in {None, ""} for name in BELONGING[part, logger]), line


def test_one_id_leads_through_every_process(lines: list[Line]) -> None:
    mine = [(part, line) for part, line in lines if line.get("request_uuid") == REQUEST_UUID]
    assert sorted((part, line["event"]) for part, line in mine) == [
        ("courier", "delivered"),
        ("gateway", "request"),
        ("worker-1", "item_done"),
    ]
    assert len({line["task_uid"] for _, line in mine}) == 1
    assert {line["account"] for _, line in mine} == {"first"}


def test_of_runware_each_task_has_its_own_ids(worked: Observed) -> None:
    def answered(*codes: str) -> list[dict[str, Any]]:
        lines = [line for _, line in worked.lines() if line["event"] == "task_answered"]
        return [line for line in lines if line["code"] in codes]

    def removed() -> list[dict[str, Any]]:
        return [line for line in answered("ok") if line["task_type"] == "imageBackgroundRemoval"]

    def strangers() -> list[dict[str, Any]]:
        """One line for a request, and one for a connection, whatever else comes there."""
        return answered("missingApiKey", "invalidApiKey")

    eventually(lambda: len(removed()) == len(strangers()) == 2, say=lambda: (removed(), strangers()))
    assert len({line["task_uid"] for line in removed()}) == 2
    assert {line["account"] for line in removed()} == {"shop"}
    assert not [line for line in strangers() if "account" in line or "task_uid" in line]


def forms(secret: str) -> set[str]:
    """A secret as it might be written."""
    data = secret.encode()
    encoded = {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(), data.hex()}
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], *(form.rstrip("=")[:-1] for form in encoded)}


def pieces(data: bytes) -> set[str]:
    """Parts of a picture, in the forms that it is sent or printed in."""
    text = base64.b64encode(data).decode()
    found = {text[at : at + 24] for at in (0, 1_000, len(text) // 2)}
    for at in (0, len(data) // 2):
        part = data[at : at + 12]
        found |= {part.hex(), repr(part)[2:-1], json.dumps(repr(part))[1:-1]}
    return found


def test_no_line_holds_a_secret(observed: Observed, lines: list[Line]) -> None:
    text = (observed.stack.data / "cutgate.log").read_text(encoding="utf-8")
    assert all(len(secret) > 6 for secret in observed.secrets.values())
    for name, secret in (observed.secrets | {"a wrong key": WRONG_KEY}).items():
        assert not [form for form in forms(secret) if form in text], name
    for piece in pieces(PICTURE) | pieces(BROKEN):
        assert piece not in text
    assert len(lines) > 50

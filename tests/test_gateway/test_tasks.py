"""A picture's way: submitted, shown, fetched; on every ledger."""

from __future__ import annotations

import re
import time

import pytest

from gateway.picpik.errors import TASK_ROWS
from jobs.errors import ProcessingFailed
from jobs.ids import new_task_uid
from jobs.record import ErrorFacts
from jobs.testing import ManualClock, MemoryBlobStore, MemoryLedger
from tests.test_gateway import pictures
from tests.test_gateway.harness import Harness, make_settings

MEMBERS = {
    "TaskUID": str,
    "Action": str,
    "Status": str,
    "ImgList": list,
    "Seed": int,
    "TxtList": list,
    "ConsumeApiPoint": int,
    "ErrorCode": int,
    "ErrorMassage": str,
    "ErrorMessage": str,
}


def test_a_picture_is_accepted_and_found_at_once(gateway: Harness) -> None:
    uid = gateway.submit(RawImage=pictures.data_uri(pictures.png()))
    assert re.fullmatch(r"[0-9a-v]{19}[0g]", uid)
    assert gateway.hints == [gateway.lane]
    (key,) = gateway.stored()
    assert gateway.blobs.get(key) == pictures.png()
    entry = gateway.detail(uid)
    assert {name: type(value) for name, value in entry.items()} == MEMBERS
    assert (entry["Action"], entry["Status"], entry["ImgList"]) == ("RemoveBackground", "Queuing", [])


def test_states_until_the_result_is_fetched(gateway: Harness) -> None:
    uid = gateway.submit()
    claim = gateway.claim()
    assert gateway.detail(uid)["Status"] == "Running"
    assert gateway.store.fail(claim, ProcessingFailed("x").facts())
    assert gateway.detail(uid)["Status"] == "Error"

    other = gateway.submit()
    gateway.finish_one(b"picture")
    entry = gateway.detail(other)
    assert (entry["Status"], entry["ConsumeApiPoint"], entry["ErrorCode"]) == ("Finished", 1, 0)
    (url,) = entry["ImgList"]
    assert url.startswith("http://localhost/r/")
    fetched = gateway.app.test_client().get(url)
    assert (fetched.status_code, fetched.mimetype, fetched.data) == (200, "image/png", b"picture")
    assert gateway.detail(other)["ImgList"] == [url]


@pytest.mark.parametrize("kind", TASK_ROWS)
def test_a_failed_task_says_what_to_do(memory_gateway: Harness, kind: str) -> None:
    uid = memory_gateway.submit()
    memory_gateway.fail_one(ErrorFacts(kind=kind, message="internal words"))
    entry = memory_gateway.detail(uid)
    assert (entry["ErrorCode"], entry["ErrorMessage"]) == (TASK_ROWS[kind].error_code, TASK_ROWS[kind].message)
    assert entry["ErrorMassage"] == entry["ErrorMessage"] != ""
    assert (entry["Status"], entry["ConsumeApiPoint"], entry["ImgList"]) == ("Error", 0, [])


def test_unknown_foreign_and_old_tasks_look_alike(memory_gateway: Harness) -> None:
    clock = ManualClock(time.time() - 100_000)
    old = MemoryLedger(memory_gateway.settings.ledger_limits(), clock)
    harness = Harness(
        settings=make_settings(),
        accounts=memory_gateway.accounts,
        store=old,
        presence=memory_gateway.presence,
        blobs=MemoryBlobStore(),
    )
    ended, foreign, unknown = harness.submit(), harness.submit(), new_task_uid()
    harness.finish_one()
    stranger = harness.accounts.add("stranger")
    answer = harness.call("ListTasksDetails", TaskUIDList=[ended, unknown, ended])
    assert [entry["TaskUID"] for entry in answer["TaskDetailList"]] == [ended, unknown, ended]
    for entry in answer["TaskDetailList"]:
        uid = entry.pop("TaskUID")
        assert entry.pop("ErrorMassage") == entry.pop("ErrorMessage") == f"Task [{uid}] not found"
        assert entry.items() >= {"Action": "", "Status": "Error", "ErrorCode": 230, "ImgList": []}.items()
    assert harness.detail(foreign)["Status"] == "Queuing"
    hidden = harness.call(
        "ListTasksDetails", private_key=stranger.private_key, PublicKey=stranger.public_key, TaskUIDList=[foreign]
    )
    assert hidden["TaskDetailList"][0]["ErrorCode"] == 230


def test_the_public_address_stands_in_front_of_results(memory_gateway: Harness) -> None:
    uid = memory_gateway.submit()
    memory_gateway.finish_one()
    memory_gateway.app = memory_gateway.make_app(make_settings(public_url="https://cut.example/base/"))
    assert memory_gateway.detail(uid)["ImgList"][0].startswith("https://cut.example/base/r/")


def test_credits_are_reserved_refused_and_booked(gateway: Harness) -> None:
    gateway.store.grant("tester", 1)
    uid = gateway.submit()
    refused = gateway.call("RemoveBackground", RawImage=pictures.BASE64_8X8)
    assert (refused["RetCode"], refused["Message"]) == (520, "Insufficient balance")
    assert len(gateway.stored()) == 1
    # Without credits the picture's own faults are not told: credit is looked at first.
    assert gateway.call("RemoveBackground", RawImage="not base64!")["RetCode"] == 520
    gateway.finish_one()
    assert gateway.detail(uid)["ConsumeApiPoint"] == 1
    balance = gateway.store.balance("tester")
    assert balance is not None
    assert (balance.used, balance.reserved) == (1, 0)


class TestRepeats:
    """The request's id as an idempotency key."""

    def test_the_same_request_is_answered_with_the_first_task(self, gateway: Harness) -> None:
        gateway.store.grant("tester", 1)
        first = gateway.submit(request_uuid="r-1")
        assert gateway.submit(request_uuid="r-1") == first
        assert len(gateway.stored()) == 1
        assert gateway.store.waiting(gateway.lane) == 1
        gateway.finish_one()
        assert gateway.submit(request_uuid="r-1") == first

    def test_the_same_signature_over_other_content_is_refused(self, gateway: Harness) -> None:
        gateway.submit(request_uuid="r-1", Box=[1, 1, 7, 17])
        answer = gateway.call(
            "RemoveBackground", RawImage=pictures.BASE64_8X8, request_uuid="r-1", Box=[1, 1, 71, 7]
        )
        assert answer["RetCode"] == 171
        assert len(gateway.stored()) == 1

    def test_another_request_under_the_same_id_is_new_work(self, gateway: Harness) -> None:
        first = gateway.submit(request_uuid="constant")
        assert gateway.submit(request_uuid="constant", ErodeSize=3) != first

    @pytest.mark.parametrize("fields", [{}, {"request_uuid": ""}, {"request_uuid": None}])
    def test_without_an_id_every_request_is_new_work(self, gateway: Harness, fields: dict[str, None]) -> None:
        assert gateway.submit(**fields) != gateway.submit(**fields)

    def test_other_spelling_of_the_same_request_is_the_same(self, gateway: Harness) -> None:
        # 15 and 15.0, and an absent null, have one signature each way round and one meaning.
        members = f'"Action":"RemoveBackground","RawImage":"{pictures.BASE64_8X8}","request_uuid":"r"'
        first = gateway.call_text(f'{members},"ErodeSize":15')
        second = gateway.call_text(f'{members},"ErodeSize":15.0')
        assert first["TaskUID"] == second["TaskUID"]

"""Tests of PICPIK: the actions about tasks, credits and models, callbacks, and repeats by `request_uuid`."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from cutgate.gateway.accounts.accounts import UNMETERED_CREDITS
from cutgate.gateway.picpik.rendering import renderers
from cutgate.jobs.ids import new_task_uid, parse_task_uid
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ErrorFacts
from tests.fakes import ManualClock
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, PUBLIC_KEY, Answer, Harness, signed, there
from tests.jobs.build import ERROR
from tests.ledgers import FreshLedger

MEMBERS = {
    **dict.fromkeys(("TaskUID", "Action", "Status", "ErrorMassage", "ErrorMessage"), str),
    **dict.fromkeys(("Seed", "ConsumeApiPoint", "ErrorCode"), int),
    **dict.fromkeys(("ImgList", "ConfidenceList", "TxtList"), list),
}


@pytest.mark.parametrize("ends_well", [True, False])
@pytest.mark.parametrize("submit", [Harness.submit, partial(Harness.submit_batch, count=1)])
def test_a_callback_is_the_entry_of_a_poll(
    gateway: Harness, submit: Callable[[Harness], str], ends_well: bool
) -> None:
    uid = submit(gateway)
    if ends_well:
        gateway.finish_one()
    else:
        gateway.fail_one(ERROR)
    task = there(gateway.store.tasks.get(parse_task_uid(uid), ACCOUNT))
    render = renderers(gateway.tasks, "http://localhost")[task.origin]
    assert json.loads(render(task)) == gateway.detail(uid)
    assert render(task) == render(task)


HIDDEN_CALLS = [
    ("ListTasksDetails", lambda uid: {"TaskUIDList": [uid]}),
    ("ListGenerateTaskDetail", lambda uid: {"TaskUIDs": [uid]}),
    ("GetGenerateTaskDetail", lambda uid: {"TaskUID": uid}),
    ("TerminateTask", lambda uid: {"TaskUID": uid}),
]


@pytest.mark.parametrize(("action", "fields"), HIDDEN_CALLS)
def test_unknown_foreign_and_expired_tasks_look_alike(
    gateway: Harness, action: str, fields: Callable[[str], dict[str, Any]]
) -> None:
    clock = ManualClock()
    gateway = replace(gateway, store=FreshLedger(LedgerLimits(retention_seconds=60), clock))
    expired = gateway.submit()
    gateway.finish_one()
    foreign = gateway.submit_for(gateway.add_pair("stranger"))
    clock.advance(60)

    answers = set()
    for uid in (expired, foreign, new_task_uid()):
        params = {"Action": action, "PublicKey": PUBLIC_KEY, "request_uuid": "r", **fields(uid)}
        response = gateway.post(json.dumps(signed(params)))
        headers = [(name, text) for name, text in response.headers if not name.startswith("X-RateLimit")]
        answers.add((response.status_code, response.data.replace(uid.encode(), b"UID"), *headers))
    [(_, body, *_)] = answers
    assert b"230" in body
    assert b"Queuing" not in body


def test_a_task_that_is_not_there(gateway: Harness) -> None:
    uid = new_task_uid()
    entry = gateway.detail(uid)
    assert {name: type(value) for name, value in entry.items()} == MEMBERS
    assert entry["ErrorMassage"] == entry["ErrorMessage"] == f"Task [{uid}] not found"
    assert entry.items() >= {"TaskUID": uid, "Action": "", "Status": "Error", "ErrorCode": 230}.items()
    other = gateway.call("ListTasksDetails", TaskUIDList=[uid, new_task_uid(), uid])
    assert [entry["TaskUID"] for entry in other["TaskDetailList"]][::2] == [uid, uid]


def test_each_result_has_a_confidence_and_what_failed_has_none(gateway: Harness) -> None:
    uid = gateway.submit_batch(count=2)
    assert gateway.detail(uid)["ConfidenceList"] == []
    gateway.finish_one(confidence=0.4)
    gateway.fail_one(ErrorFacts(kind="processing_failed", message="it is so"))
    assert gateway.detail(uid)["ConfidenceList"] == [0.4, None]


def test_the_public_address_stands_in_front_of_results(gateway: Harness) -> None:
    uid = gateway.submit()
    gateway.finish_one()
    gateway = gateway.with_settings(public_url="https://cut.example/base/")
    assert gateway.detail(uid)["ImgList"][0].startswith("https://cut.example/base/r/")


class TestRepeats:
    """The request's id as an idempotency key."""

    @pytest.mark.parametrize("fields", [{}, {"request_uuid": ""}, {"request_uuid": None}])
    def test_without_an_id_every_request_is_new_work(self, gateway: Harness, fields: dict[str, None]) -> None:
        assert gateway.submit(**fields) != gateway.submit(**fields)

    def test_other_spelling_of_the_same_request_is_the_same(self, gateway: Harness) -> None:
        # 15 and 15.0, and an absent null, have one signature each way round and one meaning.
        members = f'"Action":"RemoveBackground","RawImage":"{pictures.BASE64_8X8}","request_uuid":"r"'
        first = gateway.call_text(f'{members},"ErodeSize":15')
        second = gateway.call_text(f'{members},"ErodeSize":15.0')
        assert first["TaskUID"] == second["TaskUID"]


# Lists, ends, the older interface, and credits.

COMMON = {"RetCode", "Action", "Message", "request_uuid"}


def own(answer: Answer) -> Answer:
    """What an answer says beside the members that every answer has."""
    assert answer["RetCode"] == 0, answer
    return {name: value for name, value in answer.items() if name not in COMMON}


class TestRunning:
    def test_it_names_waiting_and_running_tasks_oldest_first(self, gateway: Harness) -> None:
        uids = [gateway.submit(), gateway.submit_batch(2), gateway.submit()]
        gateway.claim()
        assert own(gateway.call("ListRunningTasks")) == {"TaskUIDList": uids}
        assert own(gateway.call("ListRunningTask")) == {"TaskUIDList": uids}

    def test_a_task_that_ended_is_left_out(self, gateway: Harness) -> None:
        first, second = gateway.submit(), gateway.submit()
        gateway.finish_one()
        assert own(gateway.call("ListRunningTasks")) == {"TaskUIDList": [second]}
        gateway.call("TerminateTask", TaskUID=second)
        assert own(gateway.call("ListRunningTasks")) == {"TaskUIDList": []}
        assert gateway.detail(first)["Status"] == "Finished"


class TestTerminate:
    def test_a_waiting_task_ends_uncharged(self, gateway: Harness) -> None:
        gateway.store.accounts.grant(ACCOUNT, 1)
        uid = gateway.submit()
        assert own(gateway.call("TerminateTask", TaskUID=uid)) == {}
        entry = gateway.detail(uid)
        assert (entry["Status"], entry["ErrorCode"], entry["ErrorMassage"]) == ("Error", 1002, "Task terminated")
        assert (entry["ErrorMessage"], entry["ConsumeApiPoint"], entry["ImgList"]) == ("Task terminated", 0, [])
        assert gateway.store.waiting(gateway.lane) == 0
        assert own(gateway.call("GetCreditBalance")) == {"TotalCredits": 1, "UsedCredits": 0}
        gateway.submit()


def legacy(uid: str, status: str, urls: list[str], message: str = "", code: int = 0) -> Answer:
    """An entry of the older interface's list."""
    return {
        "TaskUid": uid,
        "TaskType": "" if code == 230 else "TaskRemoveBackground",
        "TaskStatus": status,
        "FinalPictureUrls": urls,
        "TaskErrorMsg": message,
        "TaskErrorCode": code,
    }


class TestLegacy:
    """The older interface sees the same tasks under other names."""

    def test_one_task(self, gateway: Harness) -> None:
        uid = gateway.submit()
        gateway.claim()
        assert own(gateway.call("GetGenerateTaskDetail", TaskUID=uid)) == {
            "TaskType": "TaskRemoveBackground",
            "TaskStatus": "Running",
            "FinalPictureUrls": [],
            "TaskErrorMsg": "",
            "TaskErrorCode": 0,
        }

    def test_several_tasks(self, gateway: Harness) -> None:
        finished, terminated, unknown = gateway.submit(), gateway.submit_batch(1), new_task_uid()
        gateway.finish_one()
        gateway.call("TerminateTask", TaskUID=terminated)
        listed = own(gateway.call("ListGenerateTaskDetail", TaskUIDs=[finished, terminated, unknown]))
        urls = gateway.detail(finished)["ImgList"]
        assert listed == {
            "TaskDetailList": [
                legacy(finished, "Finished", urls),
                legacy(terminated, "Error", [], "Task terminated", 1002),
                legacy(unknown, "Error", [], f"Task [{unknown}] not found", 230),
            ]
        }


class TestCredits:
    def test_an_account_that_is_not_metered(self, gateway: Harness) -> None:
        gateway = gateway.with_settings(image_price_credits=3)
        gateway.submit_batch(3)
        gateway.finish_one()
        gateway.finish_one()
        shown = {"TotalCredits": UNMETERED_CREDITS, "UsedCredits": 6, "Metered": False}
        assert own(gateway.call("GetCreditBalance")) == shown


def test_there_are_no_models(gateway: Harness) -> None:
    maps: Answer = {"MainModels": {}, "LoraModels": {}, "EmbeddingModels": {}, "HypernetworkModels": {}}
    assert own(gateway.call("ListModels")) == maps

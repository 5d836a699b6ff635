"""Tests of PICPIK: the actions about tasks, credits and models."""

from cutgate.gateway.accounts.accounts import UNMETERED_CREDITS
from cutgate.jobs.ids import new_task_uid
from tests.gateway.harness import ACCOUNT, Answer, Harness

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
    def test_what_is_reserved_is_not_used(self, gateway: Harness) -> None:
        gateway.store.accounts.grant(ACCOUNT, 12)
        gateway.submit()
        assert own(gateway.call("GetCreditBalance")) == {"TotalCredits": 12, "UsedCredits": 0}
        gateway.finish_one()
        assert own(gateway.call("GetCreditBalance")) == {"TotalCredits": 12, "UsedCredits": 1}

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

"""The whole API through a client that shares no code with the service, against the running stack."""

import pytest

from tests.end_to_end.independent_client import IndependentClient, data_uri
from tests.servers.stack import ROOT, LiveStack

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def client(stack: LiveStack) -> IndependentClient:
    return IndependentClient(stack.url, stack.public_key, stack.private_key)


@pytest.fixture(scope="module")
def photo() -> str:
    return data_uri((ROOT / "examples" / "coffee.jpg").read_bytes())


def test_submit_poll_download(client: IndependentClient, photo: str) -> None:
    submitted = client.call(
        "RemoveBackground", RawImage=photo, ErodeSize=10, HairOptimization="on", OnlyMask=False
    )
    assert submitted["RetCode"] == 0, submitted
    detail = client.ended(submitted["TaskUID"])
    assert (detail["Status"], detail["ErrorCode"], detail["ConsumeApiPoint"]) == ("Finished", 0, 1)
    assert detail["Action"] == "RemoveBackground"
    [url] = detail["ImgList"]
    assert client.download(url).startswith(PNG)


def test_a_batch_keeps_its_order_and_the_place_of_what_fails(client: IndependentClient, photo: str) -> None:
    whole = (ROOT / "examples" / "grace_hopper.jpg").read_bytes()
    submitted = client.call(
        "RemoveBackgroundsInBatch", RawImages=[photo, data_uri(whole[: len(whole) // 2]), photo], OnlyMask=True
    )
    assert submitted["RetCode"] == 0, submitted
    detail = client.ended(submitted["TaskUID"])
    assert (detail["Status"], detail["ErrorCode"], detail["ConsumeApiPoint"]) == ("Finished", 1001, 2)
    first, second, third = detail["ImgList"]
    assert second == ""
    assert detail["ErrorMassage"].startswith("RawImages [1]: Image truncated")
    assert first != third
    assert client.download(first) == client.download(third)


def test_terminate(client: IndependentClient, photo: str) -> None:
    uids = [client.call("RemoveBackground", RawImage=photo)["TaskUID"] for _ in range(4)]
    assert set(uids) & set(client.call("ListRunningTasks")["TaskUIDList"])
    assert client.call("TerminateTask", TaskUID=uids[-1])["RetCode"] == 0
    [detail] = client.call("ListTasksDetails", TaskUIDList=[uids[-1]])["TaskDetailList"]
    assert (detail["Status"], detail["ErrorCode"], detail["ConsumeApiPoint"]) == ("Error", 1002, 0)
    assert uids[-1] not in client.call("ListRunningTasks")["TaskUIDList"]
    assert [client.ended(uid)["Status"] for uid in uids[:-1]] == ["Finished"] * 3


def test_a_first_call_a_wrong_key_and_a_strange_task(client: IndependentClient, stack: LiveStack) -> None:
    assert client.call("ListModels")["RetCode"] == 0
    stranger = IndependentClient(stack.url, stack.public_key, "not the key")
    assert stranger.call("ListModels")["RetCode"] == 171
    [detail] = client.call("ListTasksDetails", TaskUIDList=["d5ari00q5cu0v880200g"])["TaskDetailList"]
    assert (detail["Status"], detail["ErrorCode"]) == ("Error", 230)

"""What callers do in the tests of lines and traces."""

import base64
import contextlib
import json
import uuid

import httpx
from websockets.sync.client import connect

from cutgate import JobFailed, ServiceError
from tests.end_to_end.observed.observation import HOOK, PICTURE, URL_SECRET, Observed
from tests.gateway.runware.service import authentication, new_removal, new_uuid, poll, removal

RAW_IMAGE = base64.b64encode(PICTURE).decode()
BROKEN = PICTURE[: len(PICTURE) // 2]
WRONG_KEY = "wr0ng-k3y-0f-s0m3b0dy"
REQUEST_UUID = f"my-request-{uuid.uuid4()}"


def call_picpik(observed: Observed) -> None:
    """Every action, and what is refused; fills in what of the answers is secret."""
    stack = observed.stack
    with stack.client() as client:
        answer = client.call("RemoveBackground", {"RawImage": RAW_IMAGE, "request_uuid": REQUEST_UUID})
        uid = answer["TaskUID"]
        client.job(uid).wait(timeout_seconds=60)
        observed.secrets["MAC of a result"] = mac_of(
            json.dumps(client.call("GetGenerateTaskDetail", {"TaskUID": uid}))
        )
        with contextlib.suppress(JobFailed):
            client.remove_background(BROKEN).wait(timeout_seconds=60)
        client.call("RemoveBackgroundsInBatch", {"RawImages": [RAW_IMAGE, RAW_IMAGE]})
        client.call("ListTasksDetails", {"TaskUIDList": [uid, uid]})
        client.call("GetGenerateTaskDetail", {"TaskUID": uid})
        client.call("ListGenerateTaskDetail", {"TaskUIDs": [uid]})
        for action in ("ListRunningTasks", "ListRunningTask", "GetCreditBalance", "ListModels"):
            client.call(action)
        last = client.call("RemoveBackground", {"RawImage": RAW_IMAGE})["TaskUID"]
        client.call("TerminateTask", {"TaskUID": last})
        for action, fields in (
            ("RemoveBackground", {"RawImage": "!" + RAW_IMAGE}),
            ("RemoveBackground", {"RawImage": RAW_IMAGE, "ErodeSize": 1_000}),
            ("RemoveBackground", {"RawImage": RAW_IMAGE, "Unknown": RAW_IMAGE[:99]}),
            ("TerminateTask", {"TaskUID": "dc05sgev0c42u0945u50"}),
            ("NoSuchAction", {}),
        ):
            with contextlib.suppress(ServiceError):
                client.call(action, fields)
    for fields in (
        {"Action": "ListModels", "PublicKey": stack.public_key, "Signature": "00" * 20},
        {"Action": "RemoveBackground", "PublicKey": WRONG_KEY, "Signature": WRONG_KEY, "RawImage": RAW_IMAGE},
        {"Action": "ListModels", "PublicKey": stack.public_key},
    ):
        httpx.post(stack.url, json=fields)
    httpx.post(stack.url, content=b"{" + RAW_IMAGE.encode())
    httpx.get(f"{stack.url}/r/{observed.secrets['MAC of a result']}/1/x.png?{URL_SECRET}")
    httpx.get(f"{stack.url}/{WRONG_KEY}")


def mac_of(text: str) -> str:
    """What opens a result, in an answer that has its path."""
    return text.partition("/r/")[2].partition("/")[0]


def call_runware(observed: Observed) -> None:
    """Tasks of every type over HTTP, and what is refused."""
    outside, url = observed.outside, f"{observed.stack.url}/v1"
    stored = {"taskType": "imageUpload", "taskUUID": new_uuid(), "image": RAW_IMAGE}
    by_url = new_removal(
        outside.url(f"/cat.jpg?token={URL_SECRET}"),
        deliveryMethod="sync",
        webhookURL=outside.url(HOOK),
        uploadEndpoint=outside.url(f"/put?token={URL_SECRET}"),
    )
    first = removal(RAW_IMAGE, outputType=["base64Data"])
    tasks = [
        [first, poll(first), {"taskType": "ping"}],
        [by_url],
        [{"taskType": "getTaskDetails", "taskUUID": by_url["taskUUID"]}],
        [{"taskType": "accountManagement", "taskUUID": new_uuid(), "operation": "getDetails"}],
        [stored, {"taskType": WRONG_KEY, "taskUUID": new_uuid(), "x": RAW_IMAGE}],
        [removal("!" + RAW_IMAGE)],
        [removal(base64.b64encode(BROKEN).decode())],
        [removal(outside.url(f"/none.jpg?token={URL_SECRET}"))],
    ]
    headers = {"Authorization": f"Bearer {observed.api_key}"}
    for message in tasks:
        httpx.post(url, json=message, headers=headers, timeout=60)
    httpx.post(url, json=[authentication(WRONG_KEY), removal(RAW_IMAGE)])
    httpx.post(url, content=RAW_IMAGE.encode(), headers=headers)


def speak_runware(observed: Observed) -> None:
    """The same over WebSockets, two messages at once on one."""
    url = observed.stack.url.replace("http", "ws") + "/v1"
    with connect(url, max_size=None) as stranger:
        stranger.send(json.dumps([removal(RAW_IMAGE)]))
        stranger.send(json.dumps([authentication(WRONG_KEY)]))
        stranger.send(RAW_IMAGE[:2_000])
        for _ in range(3):
            stranger.recv(20)
    with connect(url, max_size=None) as caller:
        caller.send(json.dumps([authentication(observed.api_key)]))
        caller.recv(20)
        messages = [
            [removal(RAW_IMAGE, outputType=["base64Data"]), {"taskType": WRONG_KEY, "taskUUID": new_uuid()}],
            [removal("!" + RAW_IMAGE)],
            [{"taskType": "ping"}],
        ]
        for message in messages:
            caller.send(json.dumps(message))
        for _ in range(4):
            caller.recv(60)

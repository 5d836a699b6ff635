"""Tests of Runware's official clients and of the Postman collection against a running stack."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from cutgate.gateway.picpik.actions import ACTIONS
from tests.clients.conftest import SIDE_PX, Told
from tests.clients.installed import HERE, node, npm_packages, run
from tests.servers.stack import LiveStack

Item = dict[str, Any]
Tell = Callable[[str], Told]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""Of version 4."""


@pytest.fixture(params=["runware", "sdk_websocket", "sdk_rest", "sdk_js"])
def told(request: pytest.FixtureRequest, tell: Tell) -> Told:
    """What one of the clients told."""
    return tell(request.param)


def done(told: Told, scenario: str) -> Item:
    """The result of a scenario that went well."""
    item = told[scenario]
    assert isinstance(item, dict)
    assert "error" not in item, item
    assert UUID.fullmatch(item["imageUUID"])
    return item


def fetched(url: str, media_type: str) -> Image.Image:
    answer = httpx.get(url)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    return Image.open(io.BytesIO(answer.content))


def assert_cut_out(image: Image.Image) -> None:
    """The disc is there and the ground is not."""
    assert (image.mode, image.size) == ("RGBA", (SIDE_PX, SIDE_PX))
    alpha = np.asarray(image)[..., 3]
    assert alpha[48, 48] > 250
    assert alpha[2, 2] < 5


def test_a_removal_with_defaults_is_a_jpeg_on_white(told: Told) -> None:
    image = fetched(done(told, "defaults")["imageURL"], "image/jpeg")
    pixels = np.asarray(image.convert("RGB"))
    assert pixels[2, 2].min() > 245
    assert pixels[48, 48].max() < 60


@pytest.mark.parametrize("scenario", ["URL", "matting", "upload"])
def test_output_as_url(told: Told, scenario: str) -> None:
    item = done(told, scenario)
    assert_cut_out(fetched(item["imageURL"], "image/png"))
    assert not {"imageBase64Data", "imageDataURI"} & set(item)


def test_output_as_base64(told: Told) -> None:
    item = done(told, "base64Data")
    assert_cut_out(Image.open(io.BytesIO(base64.b64decode(item["imageBase64Data"], validate=True))))
    assert not {"imageURL", "imageDataURI"} & set(item)


def test_output_as_data_uri(told: Told) -> None:
    head, _, data = done(told, "dataURI")["imageDataURI"].partition(",")
    assert head == "data:image/png;base64"
    assert_cut_out(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))


def test_mask_only_is_white_on_the_subject(told: Told) -> None:
    mask = np.asarray(fetched(done(told, "mask")["imageURL"], "image/png").convert("L"))
    assert mask[48, 48] > 250
    assert mask[2, 2] < 5


def test_the_cost_is_told_in_dollars(told: Told) -> None:
    assert done(told, "cost")["cost"] == pytest.approx(0.0006)
    assert "cost" not in done(told, "defaults")


def test_an_asynchronous_task_is_polled(told: Told) -> None:
    fetched(done(told, "async")["imageURL"], "image/jpeg")


def test_an_invalid_parameter_is_named(told: Told) -> None:
    error = told["invalid"]["error"]
    assert error["parameter"] in {"alphaMattingErodeSize", "settings.alphaMattingErodeSize"}
    assert "255" in error["message"]
    assert error["code"] in {"invalidAlphaMattingErodeSize", "validation"}


def test_a_wrong_key_is_told(told: Told) -> None:
    error = told["wrong_key"]["error"]
    assert "Invalid API key" in error["message"]
    assert error["code"] in {"invalidApiKey", "auth", "ConnectionError"}


@pytest.mark.parametrize("client", ["sdk_websocket", "sdk_rest", "sdk_js"])
def test_several_calls_at_once_have_each_their_own_answer(tell: Tell, client: str) -> None:
    uuids = tell(client)["several"]["imageUUIDs"]
    assert len(set(uuids) - {None}) == 5


def test_a_webhook_is_acknowledged_and_its_details_are_told(tell: Tell) -> None:
    acknowledged, details = tell("runware")["acknowledged"], tell("runware")["details"]
    assert "error" not in acknowledged
    assert details["taskUUID"] == acknowledged["taskUUID"]
    assert details["request"]
    assert details["response"]


def test_the_hybrid_form_of_older_callers(tell: Tell) -> None:
    image = fetched(done(tell("sdk_js"), "hybrid")["imageURL"], "image/jpeg")
    assert np.abs(np.asarray(image.convert("RGB"))[2, 2].astype(int) - (1, 2, 3)).max() < 8


VERSION = "6.2.2"


def newman() -> Path:
    """The runner's program."""
    return npm_packages(f"newman-{VERSION}", HERE / "newman") / "newman" / "bin" / "newman.js"


def answers_of(stack: LiveStack, folder: Path, part: str, **variables: str) -> dict[str, tuple[int, Any]]:
    """Status and members of each answer of one part or request, by the requests' names, in their order."""
    collection, report = folder / "collection.json", folder / "report.json"
    collection.write_bytes(httpx.get(f"{stack.url}/postman.json", trust_env=False).content)
    variables = {"url": stack.url, **variables}
    given = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
    reporting = ("--reporters", "json", "--reporter-json-export", str(report))
    run(node(), str(newman()), "run", str(collection), "--folder", part, *given, *reporting, cwd=folder)
    done = json.loads(report.read_text())["run"]
    assert done["failures"] == []
    return {
        execution["item"]["name"]: (
            execution["response"]["code"],
            json.loads(bytes(execution["response"]["stream"]["data"])),
        )
        for execution in done["executions"]
    }


def test_actions_are_signed_and_tasks_remembered(tiny: LiveStack, tmp_path: Path) -> None:
    keys = {"public_key": tiny.public_key, "private_key": tiny.private_key}
    answers = answers_of(tiny, tmp_path, "PICPIK", **keys)
    assert set(answers) == set(ACTIONS)
    assert {status for status, _ in answers.values()} == {200}
    codes = {name: answer["RetCode"] for name, (_, answer) in answers.items()}
    codes.pop("RefineTask")  # the task before it may not have finished yet
    assert set(codes.values()) == {0}
    uid = answers["RemoveBackgroundsInBatch"][1]["TaskUID"]
    with tiny.client() as client:
        client.job(uid).wait(timeout_seconds=60)
        [(_, refined)] = answers_of(tiny, tmp_path, "RefineTask", task_uid=uid, **keys).values()
        client.job(refined["TaskUID"]).wait(timeout_seconds=60)
    listed = answers_of(tiny, tmp_path, "ListTasksDetails", task_uid=refined["TaskUID"], **keys)
    [task] = listed["ListTasksDetails"][1]["TaskDetailList"]
    assert (task["TaskUID"], task["Status"], len(task["ImgList"])) == (refined["TaskUID"], "Finished", 1)


def test_tasks_go_with_the_api_key(tiny: LiveStack, tmp_path: Path) -> None:
    answers = answers_of(tiny, tmp_path, "Runware", api_key=tiny.api_key)
    assert {status for status, _ in answers.values()} == {200}
    items = {name: answer["data"][0] for name, (_, answer) in answers.items()}
    assert items["getResponse"]["taskUUID"] == items["removeBackground"]["taskUUID"]
    assert items["getResponse"]["imageURL"] == items["removeBackground"]["imageURL"]
    assert items["mediaStorage"]["mediaUUID"] == items["imageUpload"]["imageUUID"]
    assert items["ping"] == {"taskType": "ping", "pong": True}

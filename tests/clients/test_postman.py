"""Tests of the Postman collection in newman, Postman's own runner."""

import json
from pathlib import Path
from typing import Any

import httpx

from cutgate.gateway.picpik.actions import ACTIONS
from tests.clients.installed import HERE, installed, node, npm_install, npm_pins, run
from tests.servers.stack import LiveStack

VERSION = "6.2.2"


def newman() -> Path:
    """The runner's program."""
    pins = npm_pins(HERE / "newman")
    folder = installed(f"newman-{VERSION}", pins, lambda folder: npm_install(pins, folder))
    return folder / "node_modules" / "newman" / "bin" / "newman.js"


def answers_of(stack: LiveStack, folder: Path, part: str, **variables: str) -> dict[str, tuple[int, Any]]:
    """Status and members of each answer of one part, by the requests' names, in the collection's order."""
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
    live = tiny
    answers = answers_of(tiny, tmp_path, "PICPIK", public_key=live.public_key, private_key=live.private_key)
    assert set(answers) == set(ACTIONS)
    assert {status for status, _ in answers.values()} == {200}
    assert {name: answer["RetCode"] for name, (_, answer) in answers.items()} == dict.fromkeys(ACTIONS, 0)
    [task] = answers["ListTasksDetails"][1]["TaskDetailList"]
    assert task["TaskUID"] == answers["RemoveBackgroundsInBatch"][1]["TaskUID"]  # the last one that was made
    assert (task["Status"], len(task["ImgList"])) == ("Finished", 1)


def test_tasks_go_with_the_api_key(tiny: LiveStack, tmp_path: Path) -> None:
    answers = answers_of(tiny, tmp_path, "Runware", api_key=tiny.api_key)
    assert {status for status, _ in answers.values()} == {200}
    items = {name: answer["data"][0] for name, (_, answer) in answers.items()}
    assert items["getResponse"]["taskUUID"] == items["removeBackground"]["taskUUID"]
    assert items["getResponse"]["imageURL"] == items["removeBackground"]["imageURL"]
    assert items["mediaStorage"]["mediaUUID"] == items["imageUpload"]["imageUUID"]
    assert items["ping"] == {"taskType": "ping", "pong": True}

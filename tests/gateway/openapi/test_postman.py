"""Tests of the Postman collection: a request for each call, with variables in place of what changes."""

import json
from typing import Any

import pytest

from cutgate.gateway.openapi.document import by_call
from cutgate.gateway.openapi.parts import PICTURE, ApiSection
from cutgate.gateway.openapi.postman import collection
from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.gateway.runware.tasks.actions import ACTIONS as TASKS
from tests.gateway.harness import Answer, Harness, make_harness, make_settings


def made_by(gateway: Harness, **headers: str) -> Answer:
    response = gateway.open("/postman.json", headers=headers)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    made = response.get_json()
    assert isinstance(made, dict)
    return made


def folders(made: Answer) -> dict[str, Answer]:
    return {folder["name"]: folder for folder in made["item"]}


def items(folder: Answer) -> dict[str, Answer]:
    return {item["name"]: item for item in folder["item"]}


def variables(made: Answer) -> dict[str, str]:
    return {variable["key"]: variable["value"] for variable in made["variable"]}


def body_of(item: Answer) -> Any:
    return json.loads(item["request"]["body"]["raw"])


def test_every_action_and_every_task_is_a_request(gateway: Harness) -> None:
    made = folders(made_by(gateway))
    assert set(items(made["PICPIK"])) == set(ACTIONS)
    assert set(items(made["Runware"])) == {*TASKS, "ping", "authentication"}
    assert [item["request"]["url"]["raw"] for item in made["Service"]["item"]] == [
        "{{url}}/healthz",
        "{{url}}/readyz",
    ]


def test_rembgs_picture_is_a_file_of_a_form() -> None:
    made = folders(made_by(make_harness(make_settings(rembg_api=True))))
    [post] = [item for item in made["rembg"]["item"] if item["request"]["method"] == "POST"]
    fields = {field["key"]: field["type"] for field in post["request"]["body"]["formdata"]}
    assert (fields["file"], fields["model"]) == ("file", "text")


def test_what_changes_is_a_variable_and_secrets_are_empty(gateway: Harness) -> None:
    made = made_by(gateway)
    found = variables(made)
    assert found["picture"] == PICTURE
    assert {found[name] for name in ("public_key", "private_key", "api_key")} == {""}
    assert {variable["key"] for variable in made["variable"] if variable.get("type") == "secret"} == {
        *("public_key", "private_key", "api_key"),
    }
    assert PICTURE not in json.dumps(made["item"])
    body = body_of(items(folders(made)["PICPIK"])["RemoveBackground"])
    assert (body["RawImage"], body["PublicKey"], body["ErodeSize"]) == ("{{picture}}", "{{public_key}}", 15)
    assert "Signature" not in body
    [task] = body_of(items(folders(made)["Runware"])["removeBackground"])
    assert (task["taskUUID"], task["inputs"]) == ("{{$guid}}", {"image": "{{picture}}"})
    [task] = body_of(items(folders(made)["Runware"])["getResponse"])
    assert task["taskUUID"] == "{{task_uuid}}"


def test_the_address_is_the_settings_or_this_machines(gateway: Harness) -> None:
    public = gateway.with_settings(public_url="https://cutouts.example.com")
    assert variables(made_by(public, Host="evil.example"))["url"] == "https://cutouts.example.com"
    assert variables(made_by(gateway))["url"] == "http://localhost:80"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:81", "localhost:@evil.example"])
@pytest.mark.parametrize("proxies", ["", "127.0.0.1"])
def test_no_host_of_a_request_is_repeated(gateway: Harness, host: str, proxies: str) -> None:
    """A trusted proxy may hand on what the caller says."""
    gateway = gateway.with_settings(trusted_proxies=proxies)
    made = made_by(gateway, **{"Host": "evil.example", "X-Forwarded-Host": host})
    assert variables(made)["url"] == "http://localhost:80"
    assert "evil" not in json.dumps(made)


def test_keys_go_where_the_parts_say(gateway: Harness) -> None:
    made = folders(made_by(gateway))
    assert made["PICPIK"]["auth"] == made["Service"]["auth"] == {"type": "noauth"}
    assert made["PICPIK"]["event"][0]["listen"] == "prerequest"
    assert made["Runware"]["auth"]["bearer"] == [{"key": "token", "value": "{{api_key}}", "type": "string"}]
    scheme = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
    assert {(entry["key"], entry["value"]) for entry in made["remove.bg"]["auth"]["apikey"]} >= {
        *(("key", "X-Api-Key"), ("value", "{{api_key}}")),
    }
    other = [ApiSection(name="Other", summary="Another.", security_schemes={"key": scheme})]
    [folder] = collection(other, by_call(other), "")["item"]
    assert {(entry["key"], entry["value"]) for entry in folder["auth"]["apikey"]} == {
        *(("key", "X-Api-Key"), ("value", "{{api_key}}"), ("in", "header")),
    }

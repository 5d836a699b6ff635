"""Tests of the OpenAPI document: sound, true to the protocols' examples and to the gateway's answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from jsonschema import Draft202012Validator

from cutgate.gateway.openapi.document import by_call, describe
from cutgate.gateway.openapi.parts import Schema
from cutgate.gateway.openapi.service import service_section
from cutgate.gateway.picpik.openapi import picpik_section
from cutgate.gateway.removebg.openapi import removebg_section
from cutgate.gateway.removebg.options import Options
from cutgate.gateway.runware.http.openapi import runware_section
from cutgate.signing import take_signature, verify
from tests.gateway import picpik
from tests.gateway.harness import PRIVATE_KEY, Answer, Harness, there
from tests.gateway.removebg.service import FORMS, RemoveBg, patient
from tests.gateway.runware.service import (
    TINY_PICTURE,
    Service,
    authentication,
    details,
    make_service,
    new_removal,
    new_uuid,
    poll,
    removal,
    storage,
    upload,
)

EXAMPLES: list[Answer] = json.loads(
    (Path(there(picpik.__file__)).parent / "examples.json").read_text(encoding="utf-8")
)
"""Every example of PICPIK's reference, in its order."""
REQUESTS = [example for example in EXAMPLES if "PublicKey" in example]
ANSWERS = [example for example in EXAMPLES if "PublicKey" not in example]
SECTIONS = [
    picpik_section(max_batch_images=16),
    runware_section(max_tasks=10),
    removebg_section(),
    service_section(),
]
DOCUMENT = describe(SECTIONS)
SPLIT = by_call(SECTIONS)
ACCOUNT = {"taskType": "accountManagement", "taskUUID": new_uuid(), "operation": "getDetails"}


def in_json(operation: Answer) -> Answer:
    """What is said of a body in JSON; empty where there is none."""
    content: Answer = operation.get("requestBody", {"content": {}})["content"]
    return dict(content.get("application/json", {}))


OPERATIONS = [
    pytest.param(address, example, id=name)
    for address, item in DOCUMENT["paths"].items()
    for name, example in in_json(item.get("post", {})).get("examples", {}).items()
]


@pytest.fixture
def service() -> Service:
    return make_service()


@pytest.fixture
def removebg() -> RemoveBg:
    return patient()


@pytest.fixture
def document(refusing: Harness) -> Answer:
    response = refusing.open("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    document = response.get_json()
    assert isinstance(document, dict)
    return document


def schema_of(operation: Schema, *path: str) -> Draft202012Validator:
    """What holds JSON to the schema at a path of an operation."""
    found = operation
    for name in path:
        found = found[name]
    schema = found["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def of_requests(address: str = "/") -> Draft202012Validator:
    return schema_of(DOCUMENT["paths"][address]["post"], "requestBody")


def of_answers(address: str = "/", status: int = 200) -> Draft202012Validator:
    return schema_of(DOCUMENT["paths"][address]["post"], "responses", str(status))


def described(example: Answer) -> str:
    return str(example["Action"])


def validate(document: Answer) -> None:
    import schemathesis  # only here, for it takes long to import

    schemathesis.openapi.from_dict(document).validate()


@pytest.mark.parametrize("made", [DOCUMENT, SPLIT], ids=["by address", "by call"])
def test_it_is_a_document_of_openapi(made: Answer) -> None:
    validate(made)
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = set(strings_under("$ref", made))
    assert references == {f"#/components/schemas/{name}" for name in made["components"]["schemas"]}
    operations = [operation for item in made["paths"].values() for operation in item.values()]
    assert {tag for operation in operations for tag in operation["tags"]} == {tag["name"] for tag in made["tags"]}
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    schemes = {scheme for operation in operations for needed in operation["security"] for scheme in needed}
    assert schemes == set(made["components"]["securitySchemes"])


def strings_under(name: str, value: Any) -> Iterator[str]:
    """Every value of members of one name, at any depth."""
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from [inner] if member == name else strings_under(name, inner)
    elif isinstance(value, list):
        for element in value:
            yield from strings_under(name, element)


def test_the_addresses_are_beside_the_document_and_health_is_among_them(
    gateway: Harness, document: Answer
) -> None:
    assert [urljoin("http://a.example/prefix/openapi.json", server["url"]) for server in document["servers"]] == [
        "http://a.example/prefix/"
    ]
    for path in ("/healthz", "/readyz"):
        answer = gateway.open(path)
        schema_of(document["paths"][path]["get"], "responses", str(answer.status_code)).validate(answer.get_json())


def test_every_address_of_programs_is_described(gateway: Harness, document: Answer) -> None:
    rules = {rule.rule.replace("<", "{").replace(">", "}") for rule in gateway.app.url_map.iter_rules()}
    pages = {rule for rule in rules if rule.startswith(("/playground", "/docs"))}
    assert set(document["paths"]) == rules - pages - {"/openapi.json", "/postman.json"}


@pytest.mark.parametrize(("address", "example"), OPERATIONS)
def test_the_documents_own_examples_fit(address: str, example: Answer) -> None:
    of_requests(address).validate(example["value"])
    assert example["summary"]


@pytest.mark.parametrize("example", REQUESTS, ids=described)
def test_examples_of_requests_fit_are_signed_and_answered(gateway: Harness, example: Answer) -> None:
    of_requests().validate(example)
    rest, signature = take_signature(example)
    assert verify(rest, there(signature), [PRIVATE_KEY])
    answer = gateway.answer(gateway.post(json.dumps(example)))
    of_answers().validate(answer)
    # The tasks of the examples are not there.
    assert answer["RetCode"] == (230 if "TaskUID" in example else 0)


@pytest.mark.parametrize("example", ANSWERS, ids=described)
def test_examples_of_answers_fit(example: Answer) -> None:
    of_answers().validate(example)


def test_the_server_answers_with_results_as_it_says(gateway: Harness) -> None:
    uid = gateway.submit_batch(2)
    gateway.finish_one()
    gateway.finish_one()
    for action, fields in (
        ("ListTasksDetails", {"TaskUIDList": [uid]}),
        ("ListGenerateTaskDetail", {"TaskUIDs": [uid]}),
        ("GetGenerateTaskDetail", {"TaskUID": uid}),
        ("GetCreditBalance", {}),
    ):
        answer = gateway.call(action, **fields)
        assert answer["RetCode"] == 0
        of_answers().validate(answer)


def of_task(name: str) -> Draft202012Validator:
    """What is answered to one task."""
    return schema_of(SPLIT["paths"][f"/v1#{name}"]["post"], "responses", "200")


def test_tasks_fit_and_are_answered_as_it_says(service: Service) -> None:
    waiting = removal(deliveryMethod="async", outputType=["URL", "dataURI"], includeCost=True)
    kept = service.answer(upload())["data"][0]["imageUUID"]
    asked = [
        waiting,
        poll(waiting),
        details(waiting),
        new_removal(deliveryMethod="async", outputFormat="WEBP", settings={"rgba": [1, 2, 3, 4]}),
        upload(),
        storage("upload", TINY_PICTURE),
        storage("delete", kept),
        ACCOUNT,
        {"taskType": "ping", "ping": True},
    ]
    for task in asked:
        assert_as_described(service, task)
    while service.work_once():
        pass
    for task in (poll(waiting), details(waiting)):
        item = assert_as_described(service, task)
    assert item["response"]["data"][0]["imageDataURI"]
    of_requests("/v1").validate([authentication(service.api_key), *asked])
    of_task("authentication").validate(service.answer(authentication(service.api_key), api_key=None))


def assert_as_described(service: Service, task: Answer) -> Answer:
    of_requests("/v1").validate([task])
    answer = service.answer(task)
    of_task(task["taskType"]).validate(answer)
    of_answers("/v1").validate(answer)
    [item] = answer["data"]
    assert isinstance(item, dict)
    return item


def test_refusals_of_tasks_are_as_it_says(service: Service) -> None:
    for tasks, key, status in (
        ([removal(inputImage="no picture")], service.api_key, 400),
        ([removal(model="other:1@1", settings={"model": 1})], service.api_key, 400),
        ([removal()], "wrong", 401),
        ([removal()], None, 401),
        ([poll({"taskUUID": new_uuid()})], service.api_key, 404),
    ):
        answer = service.post(tasks, api_key=key)
        assert answer.status_code == status
        of_answers("/v1", status).validate(answer.get_json())
        code = answer.get_json()["errors"][0]["code"]
        table = DOCUMENT["paths"]["/v1"]["post"]["responses"][str(status)]["description"]
        assert f"| {code} |" in table or "| invalidField |" in table
    some = service.post([{"taskType": "ping"}, removal(inputImage="no picture")])
    of_answers("/v1").validate(some.get_json())
    assert some.get_json().keys() == {"data", "errors"}


@pytest.mark.parametrize(
    "changes",
    [
        *({"Foo": 1}, {"ErodeSize": 41}, {"ErodeSize": "15"}, {"Box": [1, 2, 3]}, {"HairOptimization": "AUTO"}),
        *({"RawImage": ""}, {"Signature": "x"}, {"Action": "Nothing"}, {"WaitSeconds": 1}),
    ],
    ids=str,
)
def test_what_the_server_refuses_does_not_fit(changes: Answer) -> None:
    assert not of_requests().is_valid({**REQUESTS[0], **changes})


@pytest.mark.parametrize(
    "changes",
    [
        *({"foo": 1}, {"outputQuality": 19}, {"ttl": 59}, {"rgba": [1, 2, 3]}, {"outputType": []}),
        *({"model": "other:1@1"}, {"alphaMattingErodeSize": 256}, {"inputs": {"seed": 1}}, {"routing": 1}),
        *({"taskType": "other"}, {"outputFormat": "GIF"}, {"deliveryMethod": "later"}, {"includeCost": 1}),
        *({"inputImage": 1}, {"settings": {"rgba": [256, 0, 0, 0]}}, {"webhookURL": 1}),
    ],
    ids=str,
)
def test_tasks_that_the_server_refuses_do_not_fit(service: Service, changes: Answer) -> None:
    task = removal(**changes)
    assert of_requests("/v1").is_valid([removal()])
    assert not of_requests("/v1").is_valid([task])
    assert service.post(task).status_code == 400


def fields_of(form: str, path: str = "removebg") -> Answer:
    """The schema of a body of remove.bg's protocol."""
    media_types = {
        "json": "application/json",  # first, for it alone has an example
        "multipart": "multipart/form-data",
        "urlencoded": "application/x-www-form-urlencoded",
    }
    body = DOCUMENT["paths"][f"/v1.0/{path}"]["post"]["requestBody"]
    assert list(body["content"]) == list(media_types.values())
    return dict(body["content"][media_types[form]]["schema"]["properties"])


@pytest.mark.parametrize("form", FORMS)
def test_a_removal_has_its_fields_in_each_form(form: str) -> None:
    texts = {"image_file_b64", "image_url"}
    files = {"image_file"} if form == "multipart" else set()
    assert fields_of(form, "improve").keys() == texts | files
    backgrounds = {"bg_image_url"} | {f"bg_{name}" for name in files}
    assert fields_of(form).keys() == texts | files | backgrounds | Options.model_fields.keys()
    assert {name for name, field in fields_of(form).items() if field.get("format") == "binary"} == {
        *files,
        *(f"bg_{name}" for name in files),
    }


def test_what_a_field_is_said_to_take_is_taken_and_its_default_is_the_same_as_nothing() -> None:
    plain = Options.read({})
    for name, field in fields_of("json").items():
        if name not in Options.model_fields:
            continue
        for value in field.get("enum", []):
            assert Options.read({name: value}) != plain or value == field.get("default", "none")
        if "default" in field:
            assert Options.read({name: field["default"]}) == plain


def test_a_picture_in_an_answer_is_described_with_its_headers(removebg: RemoveBg) -> None:
    response = DOCUMENT["paths"]["/v1.0/removebg"]["post"]["responses"]["200"]
    answer = removebg.done()
    assert answer.mimetype in response["content"]
    own = {name for name in dict(answer.headers) if name.startswith(("X-", "Cutgate-"))} - {
        "X-Content-Type-Options"
    }
    assert own == response["headers"].keys()
    with removebg.answering():
        answer = removebg.send("json", headers={"Accept": "application/json"})
    of_answers("/v1.0/removebg").validate(answer.get_json())


def test_other_answers_of_remove_bg_are_as_it_says(removebg: RemoveBg) -> None:
    account = removebg.open("/v1.0/account")
    schema_of(DOCUMENT["paths"]["/v1.0/account"]["get"], "responses", "200").validate(account.get_json())
    for answer in (
        removebg.send(size="huge"),
        removebg.open("/v1.0/account", headers={"X-Api-Key": "wrong"}),
        removebg.send("json", path="/v1.0/improve"),
    ):
        body = answer.get_json()
        of_answers("/v1.0/removebg", answer.status_code).validate(body)
        table = DOCUMENT["paths"]["/v1.0/removebg"]["post"]["responses"][str(answer.status_code)]["description"]
        assert f"| {body['errors'][0]['code']} |" in table
    collecting = patient(removebg_improvement=True).send("json", path="/v1.0/improve")
    of_answers("/v1.0/improve").validate(collecting.get_json())


def test_limits_that_are_settings_are_told(gateway: Harness) -> None:
    document = gateway.with_settings(max_batch_images=5, max_runware_tasks=3).open("/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    assert schemas["RemoveBackgroundsInBatchRequest"]["properties"]["RawImages"]["maxItems"] == 5
    body = document["paths"]["/v1"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["maxItems"] == 3

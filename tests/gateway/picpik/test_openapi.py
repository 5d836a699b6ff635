"""The protocol's description: a sound document, true to the protocol's examples and to this server's answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from jsonschema import Draft202012Validator

from cutgate.gateway.picpik.actions import ACTIONS
from cutgate.signing import take_signature, verify
from tests.gateway.harness import PRIVATE_KEY, Answer, Harness, there

EXAMPLES: list[Answer] = json.loads((Path(__file__).parent / "examples.json").read_text(encoding="utf-8"))
"""Every example of the protocol's reference, in its order."""
REQUESTS = [example for example in EXAMPLES if "PublicKey" in example]
ANSWERS = [example for example in EXAMPLES if "PublicKey" not in example]


@pytest.fixture
def document(gateway: Harness) -> Answer:
    response = gateway.app.test_client().get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    document = response.get_json()
    assert isinstance(document, dict)
    return document


def validator(document: Answer, *path: str) -> Draft202012Validator:
    """Of the schema at a path of the one operation."""
    schema = document["paths"]["/"]["post"]
    for name in path:
        schema = schema[name]
    return Draft202012Validator({**schema, "components": document["components"]})


def of_requests(document: Answer) -> Draft202012Validator:
    return validator(document, "requestBody", "content", "application/json", "schema")


def of_answers(document: Answer) -> Draft202012Validator:
    return validator(document, "responses", "200", "content", "application/json", "schema")


def described(example: Answer) -> str:
    return str(example["Action"])


def test_the_schemas_are_schemas(document: Answer) -> None:
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = set(strings_under("$ref", document))
    assert references == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


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
        answer = gateway.app.test_client().get(path)
        said = document["paths"][path]["get"]["responses"][str(answer.status_code)]
        schema = said["content"]["application/json"]["schema"]
        Draft202012Validator(schema).validate(answer.get_json())


def test_every_action_is_described(document: Answer) -> None:
    body = document["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["discriminator"]["mapping"]) == set(ACTIONS) == {described(example) for example in EXAMPLES}
    assert len(REQUESTS) == len(ANSWERS) + 1 == 11


@pytest.mark.parametrize("example", REQUESTS, ids=described)
def test_examples_of_requests_fit_are_signed_and_answered(
    gateway: Harness, document: Answer, example: Answer
) -> None:
    of_requests(document).validate(example)
    rest, signature = take_signature(example)
    assert verify(rest, there(signature), [PRIVATE_KEY])
    answer = gateway.answer(gateway.post(json.dumps(example)))
    of_answers(document).validate(answer)
    # The tasks of the examples are not there.
    assert answer["RetCode"] == (230 if "TaskUID" in example else 0)


@pytest.mark.parametrize("example", ANSWERS, ids=described)
def test_examples_of_answers_fit(document: Answer, example: Answer) -> None:
    of_answers(document).validate(example)


def test_the_server_answers_with_results_as_it_says(gateway: Harness, document: Answer) -> None:
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
        of_answers(document).validate(answer)


@pytest.mark.parametrize(
    "changes",
    [
        *({"Foo": 1}, {"ErodeSize": 41}, {"ErodeSize": "15"}, {"Box": [1, 2, 3]}, {"HairOptimization": "AUTO"}),
        *({"RawImage": ""}, {"Signature": "x"}, {"Action": "Nothing"}, {"WaitSeconds": 1}),
    ],
    ids=str,
)
def test_what_the_server_refuses_does_not_fit(document: Answer, changes: Answer) -> None:
    assert not of_requests(document).is_valid({**REQUESTS[0], **changes})


def test_limits_that_are_settings_are_told(gateway: Harness) -> None:
    app = gateway.with_settings(max_batch_images=5).app
    schemas = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]
    assert schemas["RemoveBackgroundsInBatchRequest"]["properties"]["RawImages"]["maxItems"] == 5


@pytest.mark.parametrize(
    ("status", "code"), [("413", 230), ("415", 160), ("429", 153), ("500", 130), ("503", 150)]
)
def test_errors_of_http_are_in_the_tables(document: Answer, status: str, code: int) -> None:
    assert f"| {code} |" in document["paths"]["/"]["post"]["responses"][status]["description"]

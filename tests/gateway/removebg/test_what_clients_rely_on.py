"""Tests of remove.bg: what known clients rely on, each named after what the client does."""

import io
import json
from typing import Any

import pytest

from tests.gateway import picture_files as pictures
from tests.gateway.removebg.service import (
    PATH,
    TINY,
    TINY_B64,
    RemoveBg,
    code_of,
    error_of,
)

PARTS = (
    b"--frontier\r\n"
    b'Content-Disposition: form-data; name="image_file"%s\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + TINY + b"\r\n--frontier--\r\n"
)


def test_npm_sends_booleans_as_json_and_forms_send_words(quick: RemoveBg) -> None:
    assert quick.spec("json", crop=True) == quick.spec(crop="true", image_file=pictures.png(41, 30))
    assert quick.spec("json", crop=False, add_shadow=False) == quick.spec(image_file=pictures.png(43, 30))


def test_clients_pass_on_old_and_unknown_options(quick: RemoveBg) -> None:
    assert code_of(quick.send(shadow_method="legacy", verbose="1", test="x" * 10_000)) == "result_not_ready"


@pytest.mark.parametrize("rest", [b'; filename="image.png"', b"", b'; filename=""'])
def test_nodes_sample_sends_no_file_name_and_octet_stream(quick: RemoveBg, rest: bytes) -> None:
    content_type = "multipart/form-data; boundary=frontier"
    answer = quick.open(PATH, method="POST", data=PARTS % rest, content_type=content_type)
    assert code_of(answer) == "result_not_ready"
    assert quick.stored_pictures() == [TINY]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1.0", 404),
        ("GET", "/v1.0/", 404),
        ("POST", "/v1.0/removebg/x", 404),
        ("POST", "/v1.0/account/x", 404),
        ("DELETE", "/v1.0/nothing", 404),
        ("GET", "/v1.0/removebg", 405),
        ("GET", "/v1.0/removebg/", 405),
        ("POST", "/v1.0/account", 405),
        ("PROPFIND", "/v1.0/improve", 405),
    ],
)
def test_go_parses_json_of_every_answer(quick: RemoveBg, method: str, path: str, status: int) -> None:
    answer = quick.open(path, method=method)
    assert error_of(answer, status)["code"] == {404: "not_found", 405: "method_not_allowed"}[status]
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_path_may_end_in_a_slash(service: RemoveBg) -> None:
    with service.answering():
        assert service.send(path="/v1.0/removebg/").status_code == 200
    assert service.open("/v1.0/account/").status_code == 200


def test_removd_streams_json_without_a_length(quick: RemoveBg) -> None:
    body = json.dumps({"image_file_b64": TINY_B64}).encode()
    overrides: dict[str, Any] = {
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    answer = quick.open(PATH, method="POST", content_type="application/json", environ_overrides=overrides)
    assert code_of(answer) == "result_not_ready"
    assert quick.stored_pictures() == [TINY]


def test_a_browser_may_call_and_read_the_headers(quick: RemoveBg) -> None:
    for path in (PATH, "/v1.0/account", "/v1.0/improve"):
        answer = quick.harness.open(path, method="OPTIONS", headers={"Origin": "https://page.example"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "X-Api-Key" in answer.headers["Access-Control-Allow-Headers"]
        assert "X-Credits-Charged" in answer.headers["Access-Control-Expose-Headers"]
    assert quick.send(size="huge").headers["Access-Control-Allow-Origin"] == "*"

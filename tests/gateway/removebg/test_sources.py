"""Tests of remove.bg: where pictures may come from, in each form of body, and what known clients send."""

import base64
import io
import json
import tracemalloc
from typing import Any
from urllib.parse import quote

import pytest

from cutgate.gateway.removebg import sources
from cutgate.gateway.removebg.errors import Refused
from cutgate.gateway.removebg.forms import read_fields
from cutgate.gateway.removebg.sources import Sources
from cutgate.gateway.tasks.drafts import InspectedPicture, SourceUrl
from tests.gateway import picture_files as pictures
from tests.gateway.removebg.service import (
    FORMS,
    PATH,
    TINY,
    TINY_B64,
    RemoveBg,
    code_of,
    error_of,
    make_removebg,
)

ADDRESS = "https://pictures.example/cat.jpg?token=secret"


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("multipart", {"image_file": TINY}),
        *((form, {"image_file_b64": TINY_B64}) for form in FORMS),
        ("json", {"image_file_b64": pictures.data_uri(TINY)}),
        ("urlencoded", {"image_file_b64": pictures.data_uri(TINY, "image/jpeg")}),
        ("json", {"image_file_b64": base64.encodebytes(TINY).decode()}),
        ("multipart", {"image_file_b64": TINY}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_picture_arrives_in_each_form(quick: RemoveBg, form: str, fields: dict[str, Any]) -> None:
    if fields.get("image_file_b64") == TINY:  # as a file that holds the text
        fields = {"image_file_b64": TINY_B64.encode()}
    quick.spec(form, **fields)
    assert quick.stored_pictures() == [TINY]


def test_base64_whose_plus_signs_a_form_has_made_spaces_is_read(quick: RemoveBg) -> None:
    text = next(
        text
        for side_px in range(8, 200)
        if "+" in (text := base64.b64encode(pictures.png(side_px, side_px)).decode())
    )
    body = f"image_file_b64={quote(text, safe='+/=')}"
    answer = quick.open(PATH, method="POST", data=body, content_type="application/x-www-form-urlencoded")
    assert code_of(answer) == "result_not_ready"


def test_escapes_of_a_long_form_field_are_read_wherever_they_stand(quick: RemoveBg) -> None:
    picture = pictures.bmp(300, 300)
    escaped = "".join(f"%{ord(letter):02x}" for letter in base64.b64encode(picture).decode())
    for body in (f"image_file_b64={escaped}", f"image_file_b64={quote(base64.b64encode(picture))}&size=full"):
        quick.open(PATH, method="POST", data=body, content_type="application/x-www-form-urlencoded")
    assert quick.stored_pictures() == [picture, picture]


def test_a_form_is_read_in_a_few_times_its_size() -> None:
    for letter in ("%41", "%2B"):
        body = f"image_file_b64={letter * 1_000_000}".encode()
        tracemalloc.start()
        found = read_fields(io.BytesIO(body), "application/x-www-form-urlencoded")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
        tracemalloc.stop()
        assert len(found) == 1


def test_heads_of_parts_take_no_memory_to_speak_of() -> None:
    # Each of their lines takes a hundred times its size.
    head = b'--x\r\nContent-Disposition: form-data; name="size"\r\n'
    body = head + b"X: y\r\n" * 500_000 + b"\r\nfull\r\n--x--\r\n"
    tracemalloc.start()
    with pytest.raises(Refused):
        read_fields(io.BytesIO(body), "multipart/form-data; boundary=x")
    assert tracemalloc.get_traced_memory()[1] < len(body)
    tracemalloc.stop()


def test_a_large_picture_passes_through_in_one_part() -> None:
    data = b"\r\n--\r\n" * 100_000
    body = b'--x\r\nContent-Disposition: form-data; name="image_file"\r\n\r\n' + data + b"\r\n--x--\r\n"
    assert read_fields(io.BytesIO(body), "multipart/form-data; boundary=x") == {"image_file": data}


@pytest.mark.parametrize("fields", [{"format": "zip"}, {"channels": "alpha"}], ids=str)
@pytest.mark.parametrize("behind", [{"bg_image_url": ADDRESS}, {"bg_image_file": b"no picture"}], ids=str)
def test_a_background_that_would_not_be_seen_is_ignored(
    quick: RemoveBg, fields: dict[str, Any], behind: dict[str, Any]
) -> None:
    # Its errand would be waited for, and could fail.
    assert code_of(quick.send(**fields, **behind)) == "result_not_ready"
    assert quick.harness.claim().background is None


@pytest.mark.parametrize(
    ("form", "fields", "code", "detail"),
    [
        ("multipart", {"image_file": b""}, "missing_source", "The picture in image_file is empty (0 bytes)."),
        (
            "urlencoded",
            {"image_file_b64": ""},
            "missing_source",
            "The picture in image_file_b64 is empty (0 bytes).",
        ),
        (
            "json",
            {"image_file_b64": "data:image/png;base64,"},
            "failed_to_read_image",
            "The picture is empty (0 bytes).",
        ),
    ],
)
def test_an_empty_picture_is_said_to_be_empty(
    refusing: RemoveBg, form: str, fields: dict[str, Any], code: str, detail: str
) -> None:
    error = refusing.error(form=form, has_picture=False, **fields)
    assert (error["code"], detail in error["detail"]) == (code, True)


@pytest.mark.parametrize(
    ("form", "fields", "code"),
    [
        ("json", {"image_url": ADDRESS, "image_file_b64": TINY_B64}, "multiple_sources"),
        ("multipart", {"image_file_b64": TINY_B64, "image_file": TINY}, "multiple_sources"),
        ("multipart", {"bg_image_file": TINY, "bg_image_url": ADDRESS}, "multiple_bg_sources"),
        ("multipart", {"bg_image_file": TINY, "bg_color": "red"}, "multiple_bg_sources"),
        ("json", {"image_file": TINY_B64}, "invalid_file_type"),
        *(
            ("json", {"image_url": address}, "invalid_image_url")
            for address in ("ftp://host/a.jpg", "no address", "https://", "https://user@host/a.png", 5)
        ),
        ("json", {"bg_image_url": "file:///etc/passwd"}, "invalid_bg_image_url"),
        ("json", {"image_file_b64": ADDRESS}, "failed_to_read_image"),
        ("json", {"image_file_b64": ["a"]}, "failed_to_read_image"),
        ("multipart", {"bg_image_file": b"no picture"}, "invalid_file_type"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_source_that_cannot_be_used_has_its_code(
    refusing: RemoveBg, form: str, fields: dict[str, Any], code: str
) -> None:
    error = refusing.error(form=form, **fields)
    assert error["code"] == code
    assert "secret" not in str(error)
    refusing.harness.assert_nothing_left()


@pytest.mark.parametrize("form", FORMS)
def test_without_a_picture_the_three_fields_are_named(refusing: RemoveBg, form: str) -> None:
    error = refusing.error(form=form, has_picture=False, image_url="", image_file_b64="", image_file="")
    assert (error["code"], error["title"]) == ("missing_source", "No image given")
    assert all(name in error["detail"] for name in ("image_file", "image_file_b64", "image_url"))


def test_a_body_of_no_known_form_holds_no_picture(refusing: RemoveBg) -> None:
    for content_type in ("image/png", "text/plain", ""):
        answer = refusing.open(PATH, method="POST", data=TINY, content_type=content_type)
        assert (answer.status_code, code_of(answer)) == (400, "missing_source")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a":[' + b"[]," * 10_000 + b"[]]}"),
        ("application/x-www-form-urlencoded", b"\xff=1"),
        ("application/x-www-form-urlencoded", b"a=1&" * 101),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nnothing"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 101),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"a" * 200_000 + b"\r\n--x--\r\n"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_body_that_cannot_be_read_is_refused(refusing: RemoveBg, content_type: str, body: bytes) -> None:
    answer = refusing.open(PATH, method="POST", data=body, content_type=content_type)
    assert (answer.status_code, code_of(answer)) == (400, "invalid_request")
    refusing.harness.assert_nothing_left()


def test_of_two_fields_of_a_name_the_first_counts(quick: RemoveBg) -> None:
    body = f"format=gif&format=png&image_url={quote(ADDRESS)}"
    answer = quick.open(PATH, method="POST", data=body, content_type="application/x-www-form-urlencoded")
    assert code_of(answer) == "invalid_format"


@pytest.mark.constants(sources, MAX_PICTURE_BYTES=len(TINY) - 1)
def test_a_picture_over_the_limit_is_a_bad_request_not_413() -> None:
    service = make_removebg()
    assert service.error(image_file=TINY)["code"] == "file_too_large"
    large = service.error(image_file=bytes(sources.MAX_BODY_BYTES))
    assert large["code"] == "file_too_large"
    service.harness.assert_nothing_left()


def test_the_background_goes_with_the_draft(quick: RemoveBg) -> None:
    found = Sources(quick.settings.source_limits())
    assert found.background({}) is None
    assert found.background({"bg_image_url": ADDRESS}) == SourceUrl(ADDRESS)
    given: dict[str, object] = {"bg_image_file": TINY}
    picture = found.background(given)
    assert isinstance(picture, InspectedPicture)
    assert (picture.data, given) == (TINY, {})


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
    assert quick.send(size="huge").headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Credits-Charged" in quick.done().headers["Access-Control-Expose-Headers"]

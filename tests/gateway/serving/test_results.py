"""Result pictures over HTTP, from every blob store."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cutgate.gateway.pictures.files import CONFIDENCE_HEADER
from cutgate.gateway.serving.results import SUBJECT_HEADER
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import Result
from cutgate.jobs.urls import ResultPaths
from tests.fakes import MemoryBlobStore
from tests.gateway.harness import Harness

DATA = bytes(range(256)) * 4
NEVER = 4_102_444_800
"""The year 2100."""


every_store = pytest.mark.parametrize("blobs", ["memory", "file", "s3"], indirect=True)


@pytest.fixture
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    match getattr(request, "param", "memory"):
        case "file":
            return FileBlobStore(tmp_path)
        case "s3":
            return open_blob_store(request.getfixturevalue("bucket").settings)
    return MemoryBlobStore()


@pytest.fixture
def client(gateway: Harness, blobs: BlobStore) -> FlaskClient:
    gateway.blobs = blobs
    return gateway.make_app(gateway.settings).test_client()


@pytest.fixture
def result(gateway: Harness, client: FlaskClient) -> Result:
    gateway.submit()
    return gateway.finish_one(DATA)


@pytest.fixture
def paths(gateway: Harness) -> ResultPaths:
    return ResultPaths(gateway.settings.master_keys())


@pytest.fixture
def path(result: Result, paths: ResultPaths) -> str:
    return paths.path(result, NEVER)


def assert_absent(response: TestResponse) -> None:
    assert (response.status_code, response.mimetype) == (404, "application/json")
    body = response.get_json()
    assert body.pop("request_uuid")
    assert body == {"RetCode": 230, "Action": "", "Message": "Result not found"}


@pytest.mark.parametrize(("subject_found", "said"), [(True, "found"), (False, "none")])
def test_whether_a_subject_was_found(
    client: FlaskClient, result: Result, paths: ResultPaths, subject_found: bool, said: str
) -> None:
    with client.get(paths.path(replace(result, subject_found=subject_found), NEVER)) as response:
        assert response.data == DATA
        assert response.headers[SUBJECT_HEADER] == said


@pytest.mark.parametrize(("confidence", "said"), [(0.07, "0.07"), (1.0, "1.00"), (None, None)])
def test_how_likely_it_is_right(
    client: FlaskClient, result: Result, paths: ResultPaths, confidence: float | None, said: str | None
) -> None:
    with client.get(paths.path(replace(result, confidence=confidence), NEVER)) as response:
        assert response.headers.get(CONFIDENCE_HEADER) == said


@every_store
def test_whole(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        assert response.data == DATA
        assert response.content_length == len(DATA)
        assert response.mimetype == "image/png"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.cache_control.private
        assert response.cache_control.max_age
        assert response.accept_ranges == "bytes"
        assert "Content-Disposition" not in response.headers


@pytest.mark.parametrize(
    ("media_type", "suffix"),
    [("image/png", "png"), ("image/webp", "webp"), ("image/jpeg", "jpg"), ("application/zip", "zip")],
)
def test_every_format_is_called_what_it_is(
    client: FlaskClient, result: Result, paths: ResultPaths, media_type: str, suffix: str
) -> None:
    path = paths.path(replace(result, media_type=media_type), NEVER)
    assert path.endswith(f".{suffix}")
    with client.get(path, query_string={"download": "cat.png"}) as response:
        assert (response.data, response.mimetype) == (DATA, media_type)
        saved_as = "cat.png" if suffix == "png" else f"cat.png.{suffix}"
        assert f'filename="{saved_as}"' in response.headers["Content-Disposition"]


@every_store
def test_head(client: FlaskClient, path: str) -> None:
    with client.head(path) as response:
        assert (response.status_code, response.data, response.content_length) == (200, b"", len(DATA))


def test_conditional(client: FlaskClient, path: str) -> None:
    with client.get(path) as first:
        etag = first.headers["ETag"]
    with client.get(path, headers={"If-None-Match": etag}) as again:
        assert (again.status_code, again.data) == (304, b"")
    with client.get(path, headers={"If-None-Match": '"other"'}) as other:
        assert other.data == DATA


@every_store
@pytest.mark.parametrize(("asked", "start", "stop"), [("0-9", 0, 10), ("1000-", 1000, 1024), ("-5", 1019, 1024)])
def test_ranges(client: FlaskClient, path: str, asked: str, start: int, stop: int) -> None:
    with client.get(path, headers={"Range": f"bytes={asked}"}) as response:
        assert response.status_code == 206
        assert response.data == DATA[start:stop]
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"


@pytest.mark.parametrize(
    ("wanted", "plain", "whole"),
    [
        ("my cat (2).png", "my cat (2).png", None),
        ("Kätzchen 猫.png", "K_tzchen _.png", "Kätzchen 猫.png"),
        ("cat", "cat.png", None),
        ("cat.exe", "cat.exe.png", None),
        ("../../etc/passwd", "passwd.png", None),
        ("C:\\temp\\cat.png", "cat.png", None),
        (".bashrc", "bashrc.png", None),
        ('a";x="\r\nSet-Cookie: a=b\0', "a_x_Set-Cookie_ a_b.png", None),
        ("x" * 500, "x" * 100 + ".png", None),
        ("", "cutout.png", None),
        ("...", "cutout.png", None),
        ("\u202egnp.exe", "gnp.exe.png", None),
    ],
)
def test_saved_under_a_safe_name(
    client: FlaskClient, path: str, wanted: str, plain: str, whole: str | None
) -> None:
    with client.get(path, query_string={"download": wanted}) as response:
        assert response.data == DATA
        encoded = quote(whole or plain, safe="")
        expected = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
        assert response.headers["Content-Disposition"] == expected


def test_scripts_of_other_origins_may_read_it_and_why_there_is_none(
    client: FlaskClient, path: str, blobs: BlobStore, result: Result
) -> None:
    with client.get(path) as whole:
        etag = whole.headers["ETag"]
    origin = {"Origin": "https://shop.example"}
    asked = [
        ("GET", path, {}, 200),
        ("HEAD", path, {}, 200),
        ("GET", path, {"Range": "bytes=0-9"}, 206),
        ("GET", path, {"If-None-Match": etag}, 304),
        ("GET", path, {"Range": "bytes=5000-"}, 416),
        ("GET", path.replace("/r/", "/r/x"), {}, 404),
    ]
    for method, address, headers, status in asked:
        with client.open(address, method=method, headers=origin | headers) as response:
            allowed = response.headers["Access-Control-Allow-Origin"]
            assert (response.status_code, allowed) == (status, "*")
            assert response.headers["Access-Control-Expose-Headers"] == f"{SUBJECT_HEADER}, {CONFIDENCE_HEADER}"
    blobs.delete(result.blob)
    assert client.get(path, headers=origin).headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in client.post("/", headers=origin).headers


def test_a_range_outside(client: FlaskClient, path: str) -> None:
    with client.get(path, headers={"Range": "bytes=5000-"}) as response:
        assert (response.status_code, response.mimetype) == (416, "application/json")
        assert response.headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_anything_wrong_is_the_same_404(
    client: FlaskClient, path: str, result: Result, paths: ResultPaths
) -> None:
    mac, expires, task, index, name = path.removeprefix("/r/").split("/")
    for wrong in (
        f"/r/{mac[:-1]}x/{expires}/{task}/{index}/{name}",
        f"/r/ü/{expires}/{task}/{index}/{name}",
        f"/r/{mac}/{NEVER + 1}/{task}/{index}/{name}",
        f"/r/{mac}/0{expires}/{task}/{index}/{name}",
        f"/r/{mac}/x/{task}/{index}/{name}",
        f"/r/{mac}/{expires}/{task}/1/{name}",
        f"/r/{mac}/{expires}/{task}/{index}/{name[:-4]}.jpg",
        f"/r/{mac}/{expires}/../{index}/{name}",
        paths.path(result, 1_000),
    ):
        assert_absent(client.get(wrong))


@every_store
def test_a_result_that_was_deleted(client: FlaskClient, blobs: BlobStore, path: str, result: Result) -> None:
    blobs.delete(result.blob)
    assert_absent(client.get(path))


def test_a_source_has_no_path(client: FlaskClient, gateway: Harness, paths: ResultPaths) -> None:
    uid = gateway.submit()
    claim = gateway.claim()
    assert claim.task == uid
    forged = f"/r/{'A' * 22}/{NEVER}/{claim.source}.png"
    assert_absent(client.get(forged))


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cut.example"}


@pytest.mark.parametrize(
    ("peer", "base"),
    [
        ("10.1.2.3", "https://cut.example"),
        ("192.168.1.7", "https://cut.example"),
        ("fd00::1", "https://cut.example"),
        ("192.168.1.8", "http://localhost"),
        ("127.0.0.1", "http://localhost"),
        ("", "http://localhost"),
        ("a socket", "http://localhost"),
    ],
)
def test_forwarded_headers_count_from_trusted_peers_only(gateway: Harness, peer: str, base: str) -> None:
    gateway = gateway.with_settings(trusted_proxies="10.0.0.0/8,192.168.1.7,fd00::/8")
    assert address_of_a_result(gateway, peer).startswith(f"{base}/r/")


def test_no_peer_is_trusted_by_default(gateway: Harness) -> None:
    assert address_of_a_result(gateway, "127.0.0.1").startswith("http://localhost/r/")


def address_of_a_result(gateway: Harness, peer: str) -> str:
    body = json.dumps(gateway.signed_list(gateway.submit()))
    gateway.finish_one()
    response = gateway.post(body, headers=FORWARDED, environ_overrides={"REMOTE_ADDR": peer})
    return str(response.get_json()["TaskDetailList"][0]["ImgList"][0])

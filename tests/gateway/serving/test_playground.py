"""The playground over HTTP: what is served, as what, and under which policy."""

import gzip
import posixpath
import re
import tomllib
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from cutgate.gateway.playground.views import HEADERS, STATIC_DIR
from cutgate.gateway.static_files import PAGE
from tests.gateway.harness import Harness
from tests.servers.stack import ROOT

FILES = {path.relative_to(STATIC_DIR).as_posix(): path for path in STATIC_DIR.rglob("*") if path.is_file()}
TEXTS = sorted(name for name in FILES if not name.endswith(".jpg"))
SCRIPTS = sorted(name for name in FILES if name.endswith(".js"))
LOADED = sorted(FILES.keys() - {PAGE})


@pytest.fixture
def client(gateway: Harness) -> FlaskClient:
    return gateway.app.test_client()


def text_of(name: str) -> str:
    return FILES[name].read_text(encoding="utf-8")


def policy() -> dict[str, str]:
    return dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))


def references(name: str) -> Iterator[str]:
    """Files that a file loads."""
    text = text_of(name) if name in TEXTS else ""
    for pattern in (r'from "(\.[\w./]+)"', r'import "(\.[\w./]+)"', r'url\("([\w.]+)"\)'):
        for found in re.findall(pattern, text):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(name), found))
    yield from re.findall(r'(?:href|src)="playground/([\w./-]+)"', text)


def test_the_page_is_served_under_its_policy(client: FlaskClient) -> None:
    response = client.get("/playground")
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert response.data == FILES[PAGE].read_bytes()
    assert {name: response.headers[name] for name in HEADERS} == dict(HEADERS)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", LOADED)
def test_what_the_page_loads_is_served_as_what_it_is(client: FlaskClient, name: str) -> None:
    response = client.get(f"/playground/{name}")
    media_types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "jpg": "image/jpeg"}
    assert (response.status_code, response.mimetype) == (200, media_types[name.rpartition(".")[2]])
    assert response.data == FILES[name].read_bytes()
    assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_a_browser_asks_again_and_gets_nothing_new(client: FlaskClient) -> None:
    first = client.get("/playground/app.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/playground/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get("/playground", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_a_browser_gets_texts_compressed(client: FlaskClient) -> None:
    plain = client.get("/playground/app.js")
    response = client.get("/playground/app.js", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert gzip.decompress(response.data) == plain.data
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert response.content_length == len(response.data) < len(plain.data) / 2
    assert response.headers["ETag"] != plain.headers["ETag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": response.headers["ETag"]}
    assert client.get("/playground/app.js", headers=again).status_code == 304
    photo = client.get("/playground/samples/cup.jpg", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in photo.headers


def test_head_answers_without_a_body(client: FlaskClient) -> None:
    response = client.head("/playground")
    assert (response.status_code, response.data) == (200, b"")
    assert response.content_length == FILES[PAGE].stat().st_size


def test_a_slash_too_many_leads_to_the_page(client: FlaskClient) -> None:
    response = client.get("/playground/")
    assert (response.status_code, response.data) == (308, b"")
    assert response.headers["Location"] == "../playground"


@pytest.mark.parametrize(
    "path",
    [
        *("index.html", "views.py", "../views.py", "..%2fviews.py", "%2e%2e/__init__.py", "/etc/passwd"),
        *(
            "static/app.js",
            "app.js/",
            "app.js%00",
            "service",
            "service/",
            "service//errors.js",
            "service/../app.js",
        ),
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    response = client.get(f"/playground/{path}")
    assert (response.status_code, response.mimetype) == (404, "application/json")
    assert response.get_json()["RetCode"] == 160


@pytest.mark.parametrize("path", ["/playground", "/playground/", "/playground/app.js"])
def test_it_can_be_switched_off(gateway: Harness, path: str) -> None:
    app = gateway.with_settings(playground=False).app
    assert app.test_client().get(path).status_code == 404


def test_it_takes_no_posts(client: FlaskClient) -> None:
    assert client.post("/playground").status_code == 405


def test_the_policy_lets_in_nothing_from_elsewhere_and_nothing_inline() -> None:
    sources = {source for value in policy().values() for source in value.split()}
    assert sources == {"'none'", "'self'", "blob:", "data:", "'script'"}
    assert {name for name, value in policy().items() if "blob:" in value} == {"img-src"}
    assert policy()["default-src"] == policy()["frame-ancestors"] == policy()["base-uri"] == "'none'"


def test_the_page_has_nothing_inline() -> None:
    page = text_of(PAGE)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page, re.IGNORECASE)


@pytest.mark.parametrize("name", TEXTS)
def test_no_file_names_another_host_or_makes_code_of_text(name: str) -> None:
    text = text_of(name).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", text)


def test_every_file_is_loaded_and_there() -> None:
    found, waiting = {PAGE}, [PAGE]
    while waiting:
        for name in references(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    assert found == FILES.keys()


def test_the_wheel_has_every_file() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]
    (pattern,) = setuptools["package-data"]["cutgate.gateway.playground"]
    assert {path for path in STATIC_DIR.parent.glob(pattern) if path.is_file()} == set(FILES.values())


def test_every_element_that_scripts_ask_for_is_on_the_page() -> None:
    ids = set(re.findall(r'\sid="([\w-]+)"', text_of(PAGE)))
    asked = {found for name in SCRIPTS for found in re.findall(r'element\("([\w-]+)"\)', text_of(name))}
    assert asked
    assert asked <= ids

"""Tests of the playground and the page of the description, and of the service's bare address."""

import gzip
import importlib.util
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cutgate.gateway.openapi import views as docs
from cutgate.gateway.playground import views as playground
from cutgate.gateway.static_files import FOREVER, PAGE
from tests.gateway.harness import Harness, make_settings
from tests.servers.stack import ROOT

MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "jpg": "image/jpeg"}


@dataclass(frozen=True)
class Page:
    """A page, and the files of its own folder."""

    path: str
    folder: Path
    headers: Mapping[str, str]
    package: str

    @cached_property
    def own(self) -> dict[str, Path]:
        return {
            path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()
        }

    def texts(self, suffix: str = "") -> list[str]:
        paths = (path for name, path in sorted(self.own.items()) if name.endswith(suffix))
        return [path.read_text(encoding="utf-8") for path in paths if path.suffix != ".jpg"]

    @property
    def text(self) -> str:
        return self.own[PAGE].read_text(encoding="utf-8")

    @property
    def policy(self) -> dict[str, str]:
        return dict(part.split(" ", 1) for part in self.headers["Content-Security-Policy"].split("; "))

    def __str__(self) -> str:
        return self.path


PLAYGROUND = Page("/playground", playground.STATIC_DIR, playground.HEADERS, "cutgate.gateway.playground")
DOCS = Page("/docs", docs.STATIC_DIR, docs.HEADERS, "cutgate.gateway.openapi")
VIEWER = {f"viewer/{name}": docs.viewer_folder() / name for name in docs.VIEWER_FILES}
SERVED = [
    *((PLAYGROUND, name, path) for name, path in sorted(PLAYGROUND.own.items()) if name != PAGE),
    *((DOCS, name, path) for name, path in sorted((DOCS.own | VIEWER).items()) if name != PAGE),
]
VERSION = re.compile(r"\?v=[0-9a-f]{16}(?=\")")
each_page = pytest.mark.parametrize("page", [PLAYGROUND, DOCS], ids=str)


@pytest.fixture
def client(gateway: Harness) -> FlaskClient:
    return gateway.client()


@each_page
def test_the_page_is_served_under_its_policy(client: FlaskClient, page: Page) -> None:
    response = client.get(page.path)
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert VERSION.sub("", response.text) == page.text
    assert {name: response.headers[name] for name in page.headers} == page.headers
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    head = client.head(page.path)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(response.data))
    assert client.post(page.path).status_code == 405


def test_what_the_pages_load_is_served_as_what_it_is(client: FlaskClient) -> None:
    for page, name, path in SERVED:
        response = client.get(f"{page.path}/{name}")
        assert (response.status_code, response.mimetype) == (200, MEDIA_TYPES[name.rpartition(".")[2]]), name
        assert response.data == path.read_bytes()
        assert {name: response.headers[name] for name in page.headers} == page.headers


def test_a_browser_asks_again_and_gets_nothing_new(client: FlaskClient) -> None:
    first = client.get("/playground/app.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/playground/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get("/playground", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


@each_page
def test_what_the_page_names_is_kept_for_good_and_has_another_name_once_it_changes(
    client: FlaskClient, page: Page
) -> None:
    links = re.findall(r'(?:src|href)="([^"?]+)\?v=([0-9a-f]+)"', client.get(page.path).text)
    assert len(links) >= 2
    for path, version in links:
        first = client.get(f"/{path}?v={version}")
        assert (first.status_code, first.headers["Cache-Control"]) == (200, FOREVER), path
        for other in (f"/{path}", f"/{path}?v=0000000000000000"):
            assert client.get(other).headers["Cache-Control"] == "no-cache"


def test_the_playground_is_one_script_and_one_style_sheet(client: FlaskClient) -> None:
    text = client.get("/playground").text
    assert re.findall(r'(?:<script|<link rel="stylesheet")[^>]+="playground/([^"?]+)', text) == [
        *("look/bundle.css", "app.bundle.js")
    ]
    script = client.get("/playground/app.bundle.js")
    assert (script.status_code, script.mimetype) == (200, "text/javascript")
    assert not re.search(r"^(?:import|export)\b", script.text, re.MULTILINE)
    for name in PLAYGROUND.own:
        assert not name.endswith(".js") or f"// {name}\n" in script.text, f"{name} is not in use"
    styles = client.get("/playground/look/bundle.css").text
    assert all(text in styles for text in PLAYGROUND.texts(".css"))
    # Addresses in it are relative to its own.
    assert client.get("/playground/look/handle.svg").status_code == 200
    assert "handle.svg" in styles


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


@each_page
def test_a_slash_too_many_leads_to_the_page(client: FlaskClient, page: Page) -> None:
    response = client.get(f"{page.path}/")
    assert (response.status_code, response.data, response.headers["Location"]) == (308, b"", f"..{page.path}")


@each_page
def test_nothing_else_is_served(client: FlaskClient, page: Page) -> None:
    for path in (
        *("index.html", "views.py", "../views.py", "..%2fviews.py", "%2e%2e/__init__.py", "/etc/passwd"),
        *("static/app.js", "app.js/", "app.js%00", "service", "service/", "service//errors.js"),
        *("service/../app.js", "viewer/", "viewer/index.css", "x.js"),
    ):
        response = client.get(f"{page.path}/{path}")
        assert (response.status_code, response.mimetype) == (404, "application/json"), path
        assert response.get_json()["RetCode"] == 160


def test_pages_can_be_switched_off_and_the_descriptions_stay(gateway: Harness) -> None:
    client = gateway.with_settings(playground=False).client()
    for path in ("/playground", "/playground/", "/playground/app.js", "/docs", "/docs/", "/docs/docs.js"):
        assert client.get(path).status_code == 404
    assert client.get("/docs/openapi.json").status_code == 404
    for path in ("/openapi.json", "/postman.json"):
        assert client.get(path).status_code == 200


def test_the_policies_let_in_nothing_from_elsewhere_and_nothing_inline() -> None:
    sources = {source for value in PLAYGROUND.policy.values() for source in value.split()}
    assert sources == {"'none'", "'self'", "blob:", "data:", "'script'"}
    assert {name for name, value in PLAYGROUND.policy.items() if "blob:" in value} == {"img-src"}
    closed = ("default-src", "frame-ancestors", "base-uri")
    assert {PLAYGROUND.policy[name] for name in closed} == {"'none'"}
    assert DOCS.policy == {**PLAYGROUND.policy, "trusted-types": "dompurify default"}


@each_page
def test_no_page_has_anything_inline_names_another_host_or_makes_code_of_text(page: Page) -> None:
    inline = r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)"
    assert not re.search(inline, page.text, re.IGNORECASE)
    for text in page.texts():
        plain = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", plain)


@each_page
def test_the_wheel_has_every_file(page: Page) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]
    (pattern,) = setuptools["package-data"][page.package]
    assert {path for path in page.folder.parent.glob(pattern) if path.is_file()} == set(page.own.values())


def test_a_missing_viewer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"flask-swagger-ui.*not installed"):
        docs.viewer_folder()


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def test_a_browser_is_sent_to_the_page(gateway: Harness) -> None:
    caller = gateway.app.test_client()
    answer = caller.get("/", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.headers["Location"], answer.headers["Vary"]) == (
        303,
        "playground",
        "Accept",
    )
    assert caller.get("/", headers={"Accept": BROWSER}, follow_redirects=True).mimetype == "text/html"


def test_without_the_playground_nobody_is_sent_there(gateway: Harness) -> None:
    bare = replace(gateway, settings=make_settings(playground=False))
    answer = bare.app.test_client().get("/", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.get_json()["RetCode"]) == (405, 160)

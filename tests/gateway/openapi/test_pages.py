"""The page to try the service on: what is served, as what, and under which policy."""

import importlib.util
import re
import tomllib

import pytest
from flask.testing import FlaskClient

from cutgate.gateway.openapi.views import HEADERS, STATIC_DIR, VIEWER_FILES, viewer_folder
from cutgate.gateway.playground.views import HEADERS as PLAYGROUND_HEADERS
from cutgate.gateway.playground.views import STATIC_DIR as PLAYGROUND
from cutgate.gateway.static_files import PAGE
from tests.gateway.harness import Harness
from tests.servers.stack import ROOT

OWN = {path.relative_to(STATIC_DIR).as_posix(): path for path in STATIC_DIR.rglob("*") if path.is_file()}
FILES = {**OWN, **{f"viewer/{name}": viewer_folder() / name for name in VIEWER_FILES}}
LOADED = sorted(FILES.keys() - {PAGE})
SCRIPTS = sorted(name for name in OWN if name.endswith(".js"))


@pytest.fixture
def client(gateway: Harness) -> FlaskClient:
    return gateway.app.test_client()


def text_of(name: str) -> str:
    return OWN[name].read_text(encoding="utf-8")


def policy(headers: dict[str, str]) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))


def test_the_page_is_served_under_its_policy(client: FlaskClient) -> None:
    response = client.get("/docs")
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert response.data == OWN[PAGE].read_bytes()
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("name", LOADED)
def test_what_the_page_loads_is_served_as_what_it_is(client: FlaskClient, name: str) -> None:
    response = client.get(f"/docs/{name}")
    media_types = {"js": "text/javascript", "css": "text/css"}
    assert (response.status_code, response.mimetype) == (200, media_types[name.rpartition(".")[2]])
    assert response.data == FILES[name].read_bytes()
    assert client.get(f"/docs/{name}", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304


def test_the_policy_is_the_playgrounds_but_for_the_names_of_two_policies_on_trusted_types() -> None:
    own, other = policy(dict(HEADERS)), policy(dict(PLAYGROUND_HEADERS))
    assert {name for name in own if own[name] != other[name]} == {"trusted-types"}
    assert own["trusted-types"] == "dompurify default"


@pytest.mark.parametrize(
    "path", ["index.html", "../views.py", "%2e%2e/views.py", "viewer/", "viewer/index.css", "x.js"]
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    response = client.get(f"/docs/{path}")
    assert (response.status_code, response.get_json()["RetCode"]) == (404, 160)


def test_a_slash_too_many_leads_to_the_page(client: FlaskClient) -> None:
    response = client.get("/docs/")
    assert (response.status_code, response.headers["Location"]) == (308, "../docs")


def test_it_goes_with_the_playground_and_the_descriptions_stay(gateway: Harness) -> None:
    client = gateway.with_settings(playground=False).app.test_client()
    for path in ("/docs", "/docs/", "/docs/docs.js", "/docs/openapi.json"):
        assert client.get(path).status_code == 404
    for path in ("/openapi.json", "/postman.json"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("name", sorted(OWN))
def test_no_file_names_another_host_or_makes_code_of_text(name: str) -> None:
    found = re.findall(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", text_of(name))
    assert not found


def test_the_page_has_nothing_inline_and_loads_what_is_there() -> None:
    page = text_of(PAGE)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page, re.IGNORECASE)
    asked = set(re.findall(r'(?:href|src)="docs/([\w./-]+)"', page))
    asked |= {name for text in map(text_of, SCRIPTS) for name in re.findall(r'from "\./([\w./-]+)"', text)}
    asked |= set(re.findall(r'url\("([\w/.-]+)"\)', text_of("docs.css"))) - {"../playground/look/base.css"}
    assert asked == set(LOADED)


def test_what_it_takes_of_the_playground_is_there() -> None:
    taken = {
        name for text in map(text_of, OWN) for name in re.findall(r'["(]"?(?:\.\./)?playground/([\w./-]+)"', text)
    }
    assert "service/signature.js" in taken
    assert {name for name in taken if not (PLAYGROUND / name).is_file()} == set()


def test_every_element_that_scripts_ask_for_is_on_the_page() -> None:
    ids = set(re.findall(r'\sid="([\w-]+)"', text_of(PAGE)))
    access = [(PLAYGROUND / name).read_text(encoding="utf-8") for name in ("page/access.js", "page/theme.js")]
    asked = {
        found for text in [*map(text_of, SCRIPTS), *access] for found in re.findall(r'element\("([\w-]+)"\)', text)
    }
    assert asked
    assert asked <= ids


def test_the_wheel_has_every_file() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]
    (pattern,) = setuptools["package-data"]["cutgate.gateway.openapi"]
    assert {path for path in STATIC_DIR.parent.glob(pattern) if path.is_file()} == set(OWN.values())


def test_a_missing_viewer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"flask-swagger-ui.*not installed"):
        viewer_folder()


def test_the_viewer_is_under_a_licence_that_lets_it_be_handed_on() -> None:
    text = (viewer_folder() / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License, Version 2.0" in " ".join(text.split())

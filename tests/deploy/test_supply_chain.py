"""Tests of `make audit`: SBOMs name what is installed, and an audit without answers fails."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom

from cutgate.worker.models.weights.registry import MODELS
from deploy.supply_chain.audit import faults, faults_of
from deploy.supply_chain.materials import IMAGES, REMOVED, installed, of_image, of_target, of_weights, write
from tests.deploy.test_dockerfile import DOCKERFILE, STAGES, locked

OTHERS = {"async-timeout", "tzdata", "colorama"}
"""Packages that only Windows or an older Python needs."""


def written(bom: Bom, folder: Path) -> dict[str, Any]:
    path = folder / "bom.cdx.json"
    write(bom, path)
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def names(document: dict[str, Any]) -> set[str]:
    return {part["name"] for part in document["components"]}


def test_every_image_and_every_lock_file_of_an_image_is_described() -> None:
    published = {name for name, text in STAGES.items() if "image.title" in text}
    assert set(IMAGES) == {*published, "worker-cpu-zoo"}
    assert {lock for locks in IMAGES.values() for lock in locks} == set(
        re.findall(r"requirements/([a-z-]+)\.txt", DOCKERFILE)
    )


@pytest.mark.parametrize(
    "target", [pytest.param(name, marks=[] if name == "gateway" else [pytest.mark.long]) for name in IMAGES]
)
def test_an_image_consists_of_its_base_and_its_pins(tmp_path: Path, target: str) -> None:
    document = written(of_target(target), tmp_path)
    pinned = {name for lock in IMAGES[target] for name in locked(lock)}
    assert names(document) == pinned - REMOVED - OTHERS | {"python"}
    assert document["metadata"]["lifecycles"] == [{"phase": "pre-build"}]
    base, *packages = sorted(document["components"], key=lambda part: part["type"])
    assert (base["type"], base["description"]) == ("container", "base image by its tag: no digest was given")
    assert all(part["hashes"] and part["purl"].startswith("pkg:pypi/") for part in packages)
    assert "numpy" not in names(document) or "pkg:pypi/numpy@2.4.6" in {part["purl"] for part in packages}


@pytest.mark.long
@pytest.mark.needs("dpkg")
def test_a_built_image_says_itself_what_is_in_it(tmp_path: Path) -> None:
    base = f"python:3.11-slim-bookworm@sha256:{'0' * 64}"
    found = installed(sys.executable)
    found["debian"] = [line for line in found["debian"] if line.startswith("libc6 ")]
    document = written(of_image("cutgate", base, found), tmp_path)
    parts = {part["name"]: part for part in document["components"]}
    assert parts["libc6"]["purl"].startswith("pkg:deb/debian/libc6@")
    assert parts["python"]["purl"] == f"pkg:docker/python@sha256:{'0' * 64}?tag=3.11-slim-bookworm"
    libraries = {library["name"].partition("-")[0] for library in parts["pillow-heif"]["components"]}
    assert libraries >= {"libheif", "libde265"}
    assert parts["pillow-heif"]["hashes"]
    assert document["metadata"]["lifecycles"] == [{"phase": "post-build"}]


def test_weights_have_hashes_licences_and_sources(tmp_path: Path) -> None:
    document = written(of_weights(), tmp_path)
    rows = {row.file_name: row for model in MODELS.values() for row in model.files}
    assert names(document) == set(rows)
    for part in document["components"]:
        row, digests = rows[part["name"]], [f"{each['alg']}:{each['content']}" for each in part.get("hashes", [])]
        assert [digest.replace("-", "").lower() for digest in digests] == ([row.digest] if row.digest else [])
        assert row.licence in part["licenses"][0]["license"].values()
        assert bool(row.source) == bool(part.get("purl") or part.get("externalReferences"))


def test_the_same_contents_make_the_same_bytes(tmp_path: Path) -> None:
    first = written(of_weights(), tmp_path)
    assert first == written(of_weights(), tmp_path)
    assert first["serialNumber"] != written(of_target("gateway"), tmp_path)["serialNumber"]


def test_what_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    bom = of_weights()
    bom.components[0].hashes.add(HashType(alg=HashAlgorithm.SHA_256, content="short"))
    with pytest.raises(ValueError, match="short"):
        written(bom, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_where_no_service_answers_the_audit_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))
    assert re.match("the vulnerability service cannot be reached, so nothing was audited: .*127.0.0.1", faults())


def test_a_package_that_was_not_looked_up_fails_the_audit() -> None:
    whole = {"name": "whole", "version": "1", "vulns": []}
    skipped = {"name": "odd", "skip_reason": "odd was not found"}
    holed = {"name": "holed", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    assert not faults_of({"dependencies": [whole]})
    assert faults_of({"dependencies": [whole, holed]}) == "holed 2: CVE-1, fixed in ['3']"
    assert "answered for 1 of 2 packages" in faults_of({"dependencies": [whole, skipped]})
    assert "answered for 0 of 0 packages" in faults_of({"dependencies": []})

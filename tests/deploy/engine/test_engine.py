"""Which engine is taken, what is said where there is none, and which settings of pip a build gets."""

import configparser
import re
from pathlib import Path

import pytest

from tests.deploy.engine.engine import answering_engine, some_engine
from tests.deploy.engine.service import build_secrets

DOCKER = """#!/bin/sh
case "$1" in
    version) echo {engine} ;;
    compose) [ -n "{compose}" ] && echo {compose} ;;
esac
"""


@pytest.mark.parametrize(
    ("engine", "compose", "taken"),
    [
        ("26.1.5", "2.26.1", True),
        ("25.0.0", "v2.24.0", True),
        ("20.10.24+dfsg1", "2.26.1", False),
        ("28.0.0", "2.23.3", False),
        ("28.0.0", "", False),
    ],
)
def test_an_engine_is_taken_if_it_and_its_compose_are_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, compose: str, taken: bool
) -> None:
    (tmp_path / "docker").write_text(DOCKER.format(engine=engine, compose=compose))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (answering_engine() is not None) is taken


def test_without_an_engine_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packages = re.escape("apt-get install docker.io docker-compose docker-buildx")
    with pytest.raises(AssertionError, match=packages), some_engine():
        pass


def test_a_build_gets_no_constraint_file_which_no_container_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = "https://mirror.example/simple"
    own = tmp_path / "own.conf"
    own.write_text(f"[global]\nindex-url = {mirror}\nconstraint = /here/alone.txt\n[install]\nconstraint = /x\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(own))
    monkeypatch.setenv("PIP_CONSTRAINT", "/here/alone.txt")
    monkeypatch.setenv("PIP_BUILD_CONSTRAINT", "/here/alone.txt")
    given = configparser.RawConfigParser()
    given.read(build_secrets(tmp_path)["CUTGATE_PIP_CONF"])
    assert given.get("global", "index-url") == mirror
    assert not [section for section in given.sections() for option in given[section] if "constraint" in option]

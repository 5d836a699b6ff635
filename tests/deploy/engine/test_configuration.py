"""Tests of our reading of the Compose files against Compose's own."""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose_model import MAIN, OVERRIDES, PROFILES, ROOT, project
from tests.deploy.engine.engine import Engine

pytestmark = [pytest.mark.long, pytest.mark.needs("engine"), pytest.mark.timeout(600)]


def configuration(engine: Engine, *overrides: str) -> dict[str, Any]:
    """The service with these files and all profiles, variables at what holds without them."""
    files = chain.from_iterable(("--file", str(ROOT / path)) for path in (MAIN, *overrides))
    profiles = chain.from_iterable(("--profile", profile) for profile in PROFILES)
    options = ["--env-file", "/dev/null", "--project-directory", str(ROOT)]
    words = ["compose", *options, *files, *profiles, "config", "--format", "json"]
    configured: dict[str, Any] = json.loads(engine.run(*words))
    return configured


@pytest.mark.parametrize("overrides", [(), *((path,) for path in OVERRIDES), OVERRIDES], ids=str)
def test_compose_reads_the_files_as_the_tests_do(engine: Engine, overrides: tuple[str, ...]) -> None:
    configured, model = configuration(engine, *overrides), project(*overrides)
    assert set(configured["services"]) == set(model["services"])
    for name, service in configured["services"].items():
        assert service["image"] == model["services"][name]["image"]
        assert set(service["networks"]) == set(model["services"][name]["networks"])
        assert ("build" in service) == ("build" in model["services"][name])
    (pool,) = configured["networks"]["proxied"]["ipam"]["config"]
    assert [pool] == model["networks"]["proxied"]["ipam"]["config"]


def test_files_of_the_home_folder_are_found(engine: Engine) -> None:
    configured = configuration(engine, "deploy/compose/build-secrets.yml")
    assert configured["secrets"]["npmrc"]["file"] == str(Path.home() / ".npmrc")

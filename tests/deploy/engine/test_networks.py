"""Tests of networks, the profile `tls` and other configurations on a real engine."""

import json
import ssl
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.compose_model import MAIN, OVERRIDES, PROFILES, ROOT, project
from tests.deploy.engine.engine import Engine
from tests.deploy.engine.service import AsLocalhost, Service, finished, submitted

pytestmark = [pytest.mark.long, pytest.mark.needs("engine"), pytest.mark.timeout(600)]

CYCLES = 20


def test_networks_are_made_again_and_again(built: Engine, tmp_path: Path) -> None:
    with Service(built, tmp_path, "cutgate-check-cycles") as service:
        for _ in range(CYCLES):
            service.compose("create", "redis", "gateway", "courier")
            service.compose("down", "--volumes")


def test_two_services_stand_side_by_side(built: Engine, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        Service(built, tmp_path / "one", "cutgate-check-one") as one,
        Service(built, tmp_path / "other", "cutgate-check-other", CUTGATE_PROXIED="172.16.248") as other,
    ):
        one.compose("create", "gateway")
        other.compose("create", "gateway")


def test_a_job_over_https(built: Engine, tmp_path: Path) -> None:
    with Service(built, tmp_path, "cutgate-check-tls", "tls") as service:
        service.up()
        authority = service.execute(service.container("tls"), "cat", "/data/caddy/pki/authorities/local/root.crt")
        transport = AsLocalhost(built.address, verify=ssl.create_default_context(cadata=authority))
        with service.client(f"https://localhost:{service.ports['https']}", transport) as client:
            (job,) = submitted(client, 1)
            assert finished(client, [job.uid]) == 1
        answer = httpx.Client(transport=AsLocalhost(built.address)).get(
            f"http://localhost:{service.ports['http']}/"
        )
        assert answer.status_code == 308
        assert answer.headers["Location"].startswith("https://localhost")


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

"""Tests of the networks and the profile `tls` of docker-compose.yml on a real engine."""

import ssl
from pathlib import Path

import httpx
import pytest

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

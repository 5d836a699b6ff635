"""Tests of the health checks of all images: what they cost, and when they fail."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cutgate.gateway import alive as gateway_alive
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.upkeep.loops import Every
from tests.deploy.compose_model import ROOT, project
from tests.servers.ports import free_port

CHECKS = {
    name: service["healthcheck"]["test"][1:]
    for name, service in project()["services"].items()
    if service.get("healthcheck", {}).get("test", [""] * 2)[1] == "python"
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def imported(*command: str) -> set[str]:
    """Packages that a command of Python's imports, beside those that every start does."""

    def names(*words: str) -> set[str]:
        lines = run("-X", "importtime", *words).stderr.splitlines()
        rows = (line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:"))
        return {name.partition(".")[0] for name in rows}

    return names(*command) - names("-c", "pass")


def test_a_health_check_imports_the_standard_library_alone() -> None:
    assert set(CHECKS) == {"gateway", "courier", "worker", "worker-gpu"}
    for service, (_, *words) in CHECKS.items():
        assert imported(*words) - sys.stdlib_module_names == {"cutgate"}, service


def test_the_images_run_the_checks_that_the_compose_file_does() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    named = re.findall(r'HEALTHCHECK .* CMD \["python", "-m", "([\w.]+)"\]', dockerfile)
    assert named == [CHECKS[name][2] for name in ("gateway", "worker", "worker-gpu", "gateway")]
    assert "CUTGATE_ALIVE_FILE=/tmp/alive\n" in dockerfile


def test_the_gateways_check_asks_where_its_settings_have_it_listen() -> None:
    port = free_port()
    refused = run("-m", "cutgate.gateway.alive", CUTGATE_HOST="127.0.0.1", CUTGATE_PORT=str(port))
    assert refused.returncode == 1
    assert "the gateway does not answer" in refused.stderr
    text = Path(str(gateway_alive.__file__)).read_text(encoding="utf-8")
    for name in ("host", "port"):
        assert f'"CUTGATE_{name.upper()}", "{GatewaySettings.model_fields[name].default}"' in text


def check(file: Path) -> tuple[int, str]:
    done = run("-m", "cutgate.jobs.observe.alive", CUTGATE_ALIVE_FILE=str(file))
    return done.returncode, done.stderr.strip()


def test_a_process_is_alive_until_its_announcement_lapses(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    file = AliveFile(path)
    assert check(path) == (1, f"it has not announced itself: {path}: No such file or directory")
    file.keep(60)
    assert check(path) == (0, "")
    file.keep(-5)
    assert re.fullmatch(r"its announcement lapsed [5-9] s ago", check(path)[1])
    file.keep(60)
    file.drop()
    assert check(path)[0] == 1


def test_while_a_process_announces_itself_anew_no_check_fails(tmp_path: Path) -> None:
    file = AliveFile(tmp_path / "alive")
    file.keep(60)
    with Every(0.0001, partial(file.keep, 60), "announcing"):
        assert not [fault for _ in range(20_000) if (fault := file.fault())]


@pytest.mark.parametrize("path", [None, Path("/proc/nowhere/alive")])
def test_what_cannot_be_kept_stops_nobody(path: Path | None) -> None:
    file = AliveFile(path)
    file.keep(60)
    file.drop()
    assert file.fault() is not None

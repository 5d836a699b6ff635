"""Tests of what containers run beside the service: health checks, secrets, Redis with its users."""

import base64
import os
import re
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from cutgate.gateway import alive as gateway_alive
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.upkeep.loops import Every
from tests.deploy.compose_model import ROOT, project
from tests.servers.ports import free_port
from tests.servers.redis_server import server_binaries
from tests.waiting import eventually

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


START = ROOT / "deploy" / "redis" / "start.sh"
USERS = ("courier", "gateway", "operator", "worker")


def make_secrets(folder: Path) -> None:
    subprocess.run(["sh", ROOT / "deploy" / "secrets.sh", folder], check=True, umask=0o077)


def test_secrets_are_made_once_and_for_the_containers_users_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert made.keys() == {"cutgate_master_key", *(f"redis_url_{user}" for user in USERS)}
    assert len(base64.b64decode(made["cutgate_master_key"])) == 32
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}
    (folder / "redis_url_worker").unlink()
    make_secrets(folder)
    again = {file.name: file.read_text() for file in folder.iterdir()}
    assert {name for name in made if again[name] != made[name]} == {"redis_url_worker"}


def environment_of(folder: Path) -> dict[str, str]:
    """What the start's script is given, with its secrets in the folder."""
    return os.environ | {"CUTGATE_SECRETS_DIR": str(folder / "secrets"), "TMPDIR": str(folder)}


@pytest.mark.parametrize("binary", server_binaries().values(), ids=server_binaries())
def test_the_server_knows_each_user_by_the_password_of_its_address(tmp_path: Path, binary: Path) -> None:
    make_secrets(tmp_path / "secrets")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command = ["sh", str(START), str(binary), *options]
    with subprocess.Popen(command, env=environment_of(tmp_path), stdout=subprocess.DEVNULL) as process:
        try:
            with Redis(port=port) as nobody:
                eventually(nobody.ping, despite=(RedisError,))
            for user in USERS:
                address = (tmp_path / "secrets" / f"redis_url_{user}").read_text().strip()
                with Redis.from_url(address.replace("redis:6379", f"127.0.0.1:{port}")) as client:
                    assert client.ping()
                guessing = Redis(port=port, username=user, password="guessed")
                with guessing, pytest.raises(AuthenticationError):
                    guessing.ping()
        finally:
            process.kill()
    assert stat.S_IMODE((tmp_path / "users.acl").stat().st_mode) == 0o600
    addresses = [(tmp_path / "secrets" / f"redis_url_{user}").read_text() for user in USERS]
    passwords = [address.partition("@")[0].rpartition(":")[2] for address in addresses]
    assert not [password for password in passwords if password in (tmp_path / "users.acl").read_text()]


@pytest.mark.parametrize("address", [None, "", "redis://redis:6379/0", "redis://worker:short@redis:6379/0"])
def test_without_a_password_for_each_user_it_does_not_start(tmp_path: Path, address: str | None) -> None:
    make_secrets(tmp_path / "secrets")
    (tmp_path / "secrets" / "redis_url_worker").unlink()
    if address is not None:
        (tmp_path / "secrets" / "redis_url_worker").write_text(address)
    command = ["sh", str(START), "echo", "started"]
    done = subprocess.run(command, env=environment_of(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert f"{tmp_path}/secrets/redis_url_worker" in done.stderr
    assert "short" not in done.stderr

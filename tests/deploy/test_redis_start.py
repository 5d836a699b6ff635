"""Tests of the scripts that make the secrets and start Redis with its users."""

import base64
import os
import stat
import subprocess
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from tests.deploy.compose_model import ROOT
from tests.servers.ports import free_port
from tests.servers.redis_server import server_binaries
from tests.waiting import eventually

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

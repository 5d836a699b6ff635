"""Scratch folders: gone with their block, and what a killed process left goes with the next one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cutgate.scratch import PREFIX, scratch_folder

HOLD = (
    "import sys, time; from cutgate.scratch import scratch_folder\n"
    "with scratch_folder(sys.argv[1]) as folder:\n"
    "    (folder / 'left').touch(); print(folder, flush=True); sys.stdin.read()"
)


def hold(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a scratch folder until its standard input ends, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert not [*tmp_path.iterdir()]


def test_what_a_killed_process_left_goes_and_what_others_use_stays(tmp_path: Path) -> None:
    killed, left = hold(tmp_path)
    living, used = hold(tmp_path)
    other = tmp_path / "cutgate-photos"
    other.mkdir()
    with living, killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "left").exists()
        with scratch_folder(tmp_path) as own:
            assert set(tmp_path.iterdir()) == {used, own, other}
            assert (used / "left").exists()
        living.communicate("")
    assert [*tmp_path.iterdir()] == [other]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "photo").touch()
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(kept)
    with scratch_folder(tmp_path):
        assert (kept / "photo").exists()
    assert link.is_symlink()


@pytest.mark.parametrize("ends", ["os._exit(0)", "sys.exit()"])
def test_a_forked_process_that_ends_removes_nothing(tmp_path: Path, ends: str) -> None:
    program = (
        "import os, sys; from pathlib import Path; from cutgate.scratch import scratch_folder\n"
        "holder = scratch_folder(sys.argv[1]); folder = holder.__enter__()\n"
        f"if os.fork() == 0: {ends}\n"
        "os.wait(); print(folder.is_dir()); holder.__exit__(None, None, None); print(folder.is_dir())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]
    assert not [*tmp_path.iterdir()]

"""A disk that is full or read-only when a test says so."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import pytest

from tests.needs import NO_MOUNT

DISK_BYTES: Final = 2**20
_FILLER: Final = "filler"
_HOLD_THE_DISK: Final = """
mount -t tmpfs -o size=$1,mode=700 cutgate-test "$2" || exit
echo ready
while read -r options; do mount -o "remount,$options" "$2" || exit; echo ready; done
"""


@dataclass(frozen=True)
class SmallDisk:
    """A file system of 1 MiB, seen by one process of ours alone and reached through it."""

    root: Path
    commands: IO[str]
    answers: IO[str]

    def fill(self, *, leave_bytes: int) -> None:
        """Take up the space but for so much."""
        (self.root / _FILLER).write_bytes(bytes(DISK_BYTES - leave_bytes))

    def empty(self) -> None:
        (self.root / _FILLER).unlink()

    def remount(self, options: str) -> None:
        """Mount it in another way: `ro` or `rw`."""
        self.commands.write(f"{options}\n")
        self.commands.flush()
        assert self.answers.readline() == "ready\n"


@contextmanager
def small_disk(mount_point: Path) -> Iterator[SmallDisk]:
    """Mount a disk in a namespace of its own; it is gone with the process, however the tests end."""
    command = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    command += ["sh", "-c", _HOLD_THE_DISK, "sh", str(DISK_BYTES), str(mount_point)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stderr
        try:
            if holder.stdout.readline() != "ready\n":
                pytest.skip(NO_MOUNT)
            yield SmallDisk(Path(f"/proc/{holder.pid}/root{mount_point}"), holder.stdin, holder.stdout)
        finally:
            holder.kill()

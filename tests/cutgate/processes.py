"""Tiny real processes for the supervisor's tests, and what became of them."""

import sys
from pathlib import Path

from cutgate.local.supervisor import Program

ANNOUNCE = "import os, pathlib, sys; pathlib.Path(sys.argv[1], str(os.getpid())).touch()\n"
SLEEP = ANNOUNCE + "import time; print('started', flush=True); time.sleep(600)"
DIE = ANNOUNCE + "print('about to die', flush=True); sys.exit(3)"
STUBBORN = ANNOUNCE + (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('started', flush=True); time.sleep(600)"
)
PARENT = ANNOUNCE + (
    "import subprocess, time\n"
    f"child = {STUBBORN!r}\n"
    "subprocess.Popen([sys.executable, '-c', child, sys.argv[1]]); time.sleep(600)"
)
"""Has a child that ignores SIGTERM, as a pool's process may."""


def program(name: str, code: str, folder: Path, *, grace_seconds: float = 5) -> Program:
    """A Python process that leaves a file named by its id in `folder`."""
    folder.mkdir(exist_ok=True)
    return Program(
        name=name,
        arguments=(sys.executable, "-S", "-c", code, str(folder)),
        environment={},
        grace_seconds=grace_seconds,
    )


def pids(folder: Path) -> set[int]:
    return {int(file.name) for file in folder.iterdir()}


def lives(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"

"""What `keycut up` needs on this machine, looked at one by one, each with what to do about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keycut import server
from keycut.datadir import DataDir
from keycut.errors import KeycutError
from keycut.local import COMMAND_SECONDS, PYTHON, claim_port, require_parts

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    good: bool
    found: str
    """What is there, or what is wrong and what to do about it."""


def examine(data: DataDir, host: str, port: int) -> list[Check]:
    """Look at everything; nothing is started that stays."""
    running = data.running()
    return [
        _check("python", _python),
        _check("parts", _parts),
        _check("server", lambda: _server(data)),
        _check("data", lambda: _folder(data)),
        _check(
            "port", lambda: f"a stack runs at {running.url}" if running else f"{claim_port(host, port)} is free"
        ),
        worker_check((*PYTHON, "worker", "doctor", "--json")),
    ]


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, good=True, found=look())
    except (KeycutError, OSError) as error:
        return Check(name, good=False, found=str(error))


def _python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise KeycutError(f"{found}; install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return found


def _parts() -> str:
    require_parts()
    return "gateway and worker are installed"


def _server(data: DataDir) -> str:
    if server.external_url(os.environ) is not None:
        return "the one that the environment names"
    binary = server.pick(server.find_binaries(), server.read_marker(data.marker))
    return f"{binary.version} at {binary.path}"


def _folder(data: DataDir) -> str:
    place = next(folder for folder in (data.folder, *data.folder.parents) if folder.exists())
    with tempfile.TemporaryFile(dir=place):
        return str(data.folder)


def worker_check(command: Sequence[str]) -> Check:
    """Ask the worker's own doctor about weights and execution provider.

    Args:
        command: prints one JSON object and exits with 0 if a worker could run here.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    good = done.returncode == 0
    try:
        facts = json.loads(done.stdout)
        found = ", ".join(f"{name} {_text(value)}" for name, value in facts.items())
    except (ValueError, AttributeError):
        lines = done.stderr.strip().splitlines()
        return Check("worker", good=False, found=lines[-1] if lines else "it said nothing")
    return Check("worker", good=good, found=found)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""Checks of what `cutgate up` needs on this machine, each with a remedy."""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cutgate.errors import CommandFailed, CutgateError
from cutgate.local import redis_server as server
from cutgate.local.data_folder import DataDir
from cutgate.local.parts import ask, last_line, require_parts, running_environment
from cutgate.local.stack import claim_port, scratch_environment

OLDEST_PYTHON: Final = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding, in the form that the worker's doctor gives its own."""

    name: str
    ok: bool
    detail: str
    """What is there, or what is wrong."""
    remedy: str = ""
    """What to do about it where `detail` does not say so."""


def examine(data: DataDir, host: str, port: int) -> list[Check]:
    """Look at everything; nothing is started that stays."""
    own = [
        _check("python", _python),
        _check("parts", _parts),
        _check("server", lambda: _server(data)),
        _check("data", lambda: _folder(data)),
        _check("port", lambda: _port(data, host, port)),
    ]
    if not all(check.ok for check in own if check.name in {"parts", "server"}):
        return own
    environment = running_environment(data, "worker")
    if environment is not None:
        return own + ask_worker(environment)
    with scratch_environment("worker") as environment:
        return own + ask_worker(environment)


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except (CutgateError, OSError) as error:
        return Check(name=name, ok=False, detail=str(error))


def _python() -> str:
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise CutgateError(f"{platform.python_version()}; install {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return platform.python_version()


def _parts() -> str:
    require_parts("gateway", "worker")
    return "the libraries of gateway and worker are installed"


def _server(data: DataDir) -> str:
    if server.external_url(os.environ) is not None:
        return "the one that the environment names"
    binary = server.pick(server.find_binaries(), server.read_marker(data.marker))
    return f"{binary.version}, {binary.path}"


def _folder(data: DataDir) -> str:
    data.require_room()
    place = next(folder for folder in (data.folder, *data.folder.parents) if folder.exists())
    with tempfile.TemporaryFile(dir=place):
        return f"{data.folder} can be written"


def _port(data: DataDir, host: str, port: int) -> str:
    running = data.running()
    return f"a stack runs at {running.url}" if running else f"{claim_port(host, port)} is free"


def ask_worker(environment: Mapping[str, str]) -> list[Check]:
    """Let the worker's doctor look at weights, memory and execution provider.

    Args:
        environment: the environment that a worker would have.
    """
    try:
        done = ask(("worker", "doctor", "--json"), environment)
        found = json.loads(done.stdout)["checks"]
        return [Check(**{**check, "name": f"worker {check['name']}"}) for check in found]
    except CommandFailed as error:
        return [Check(name="worker", ok=False, detail=str(error))]
    except (ValueError, TypeError, LookupError):
        return [Check(name="worker", ok=False, detail=last_line(done.stderr))]

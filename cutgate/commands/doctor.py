"""Checks of what `cutgate up` needs on this machine, each with a remedy."""

import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cutgate.errors import CommandFailed, CutgateError
from cutgate.local import redis_server as server
from cutgate.local.data_folder import DataDir
from cutgate.local.parts import part_environment, require_parts, run_part, running_environment
from cutgate.local.stack import claim_port
from cutgate.scratch import scratch_folder

OF_A_STACK: Final = frozenset({"worker blobs", "worker redis"})
"""What the worker finds of a stack that runs; "data" and "server" stand for it where none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding, in the form that the worker's doctor gives its own."""

    name: str
    ok: bool
    detail: str
    """Finding: the part that is there, or its fault."""
    remedy: str = ""
    """What to do about it where `detail` does not say so."""


def examine(data: DataDir, host: str, port: int) -> list[Check]:
    """Look at everything; nothing is started that stays."""
    own = [
        _check("python", platform.python_version),
        _check("parts", _parts),
        _check("server", _server),
        _check("data", lambda: _folder(data)),
        _check("port", lambda: _port(data, host, port)),
    ]
    if not all(check.ok for check in own if check.name in {"parts", "server"}):
        return own
    environment = running_environment(data, "worker")
    if environment is not None:
        return own + ask_worker(environment)
    with scratch_folder() as folder:  # for what only a running stack has
        scratch = DataDir(folder)
        scratch.prepare()
        found = ask_worker(part_environment(scratch, folder / "redis.sock", "worker"))
    return own + [check for check in found if check.name not in OF_A_STACK]


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except (CutgateError, OSError) as error:
        return Check(name=name, ok=False, detail=str(error))


def _parts() -> str:
    require_parts("gateway", "worker")
    return "the libraries of gateway and worker are installed"


def _server() -> str:
    if server.external_url(os.environ) is not None:
        return "the one that the environment names"
    binary = server.find_binary()
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
    """What the worker's doctor finds of weights, memory and execution provider in a worker's environment."""
    try:
        found = run_part(("worker", "doctor"), environment, ok_codes=(0, 1))["checks"]
        return [Check(**{**check, "name": f"worker {check['name']}"}) for check in found]
    except (CommandFailed, TypeError, LookupError) as error:
        return [Check(name="worker", ok=False, detail=str(error))]

"""Gateway and worker as commands: whether they can run here, with which environment, and what they are asked."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cutgate.errors import CommandFailed, PartsMissing
from cutgate.local import redis_server as server
from cutgate.local.data_folder import Account, DataDir

_SHARED: Final = ("celery", "prometheus_client", "pydantic_settings")
MODULES: Final = {
    "gateway": (*_SHARED, "cryptography", "flask", "httpx", "standardwebhooks", "uvicorn"),
    "worker": (*_SHARED, "cv2", "numpy", "onnxruntime", "PIL", "pillow_heif"),
}
"""What each part cannot do without; the client alone needs none of it."""

COMMAND_SECONDS: Final = 120
"""Enough for a network to be loaded on a slow machine."""


def part_command(part: str, *arguments: str) -> tuple[str, ...]:
    """How another part is started. Without -P a folder `cutgate` in the current one would be taken for ours."""
    return (sys.executable, "-P", "-m", f"cutgate.{part}", *arguments)


def require_parts(*parts: str) -> None:
    """Make sure that `gateway`, `worker` or both can be run here."""
    needed = {module for part in parts for module in MODULES[part]}
    missing = sorted(module for module in needed if importlib.util.find_spec(module) is None)
    if missing:
        raise PartsMissing(missing, parts)


def server_url(data: DataDir, socket_path: Path, user: str) -> str:
    """The unix socket of a stack's own server as an address, for one of the server's users."""
    return f"unix://{user}:{data.server_password(user)}@{quote(str(socket_path))}"


def part_environment(data: DataDir, redis: str | Path, part: str) -> dict[str, str]:
    """The environment of a part: workers get no master key, and each part is a user of its own in the server.

    `redis` is the socket of the stack's own server, or the address of the one that the caller names.
    """
    left_out = {"CUTGATE_PUBLIC_URL"}
    if part != "gateway":
        left_out.add("CUTGATE_OPERATOR_KEY")
    if part == "worker":
        left_out |= {"CUTGATE_MASTER_KEY", "CUTGATE_SECRETS_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment.setdefault("CUTGATE_LOG_FORMAT", "console")
    # Less than what the supervisor waits: a worker gives its picture back instead of being killed over it.
    environment.setdefault("CUTGATE_STOP_GRACE_SECONDS", "3")
    if part != "worker":
        environment["CUTGATE_SECRETS_DIR"] = str(data.secrets)
    return environment | {
        "CUTGATE_REDIS_URL": redis if isinstance(redis, str) else server_url(data, redis, part),
        "CUTGATE_BLOB_DIR": str(data.blobs),
        "PYTHONUNBUFFERED": "1",
    }


def running_environment(data: DataDir, part: str) -> dict[str, str] | None:
    """The environment of a part for commands to the stack of a folder.

    None when none runs and no server was named.
    """
    redis: str | Path | None = server.external_url(os.environ)
    if redis is None and (facts := data.running()) is not None and facts.redis_socket is not None:
        redis = Path(facts.redis_socket)
    return None if redis is None else part_environment(data, redis, part)


def first_account(data: DataDir, environment: Mapping[str, str]) -> Account:
    """The first account of a stack. The gateway makes its keys once; the folder keeps them."""
    account = data.account()
    if account is None:
        add = ("gateway", "keys", "add", "--name", "first")
        made = run_part(add, environment) | run_part((*add, "--api-key"), environment)
        account = Account(made["public_key"], made["private_key"], made["api_key"])
        data.keep_account(account)
    return account


def run_part(command: Sequence[str], environment: Mapping[str, str], ok_codes: Container[int] = (0,)) -> Any:
    """What a part's command prints as JSON.

    Raises:
        CommandFailed: it failed, did not end, or printed something else.
    """
    asked = " ".join(command)
    try:
        done = subprocess.run(
            part_command(*command, "--json"),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"{asked} failed: no end after {COMMAND_SECONDS} s") from None
    with suppress(ValueError):
        if done.returncode in ok_codes:
            return json.loads(done.stdout)
    said = done.stderr.strip().splitlines() or ["its answer is no JSON"]  # which may hold a secret
    raise CommandFailed(f"{asked} failed: {said[-1]}")

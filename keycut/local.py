"""The whole service on this machine, as processes: server, gateway, workers."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from keycut import server
from keycut.datadir import Account, DataDir, StackFacts, default_data_dir
from keycut.errors import CommandFailed, PartsMissing, PortInUse, StartFailed
from keycut.files import PRIVATE
from keycut.supervisor import Program, Supervisor

MODULES: Final = ("celery", "cryptography", "cv2", "flask", "numpy", "onnxruntime", "PIL", "pydantic_settings")
"""What gateway and worker cannot do without; the client alone needs none of it."""

LOG_BYTES: Final = 16 * 2**20
"""The log is moved aside at this size; one older part is kept."""
COMMAND_SECONDS: Final = 60
LOOK_SECONDS: Final = 0.1
SERVER_GRACE_SECONDS: Final = 2.5
"""With the grace of the others this stays under ten seconds for all."""

PYTHON: Final = (sys.executable, "-P", "-m")
"""How another part is started. Without -P a folder `worker` in the current one would be taken for ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What to run, and where."""

    data: Path = field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: int = 0
    """0 for a free one."""
    workers: int = 1
    ready_timeout_seconds: float = 180


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is up: its address and its first account."""

    url: str
    account: Account


@contextmanager
def run_stack(
    options: StackOptions, *, echo: bool = False, stop: threading.Event | None = None
) -> Iterator[Stack]:
    """Start everything, keep it alive while the block runs, stop it within ten seconds.

    Args:
        options: what to run.
        echo: copy the log to standard error.
        stop: set by whoever wants the start to be given up.

    Raises:
        LocalError: it cannot be started; nothing is left running.
        KeyboardInterrupt: `stop` was set during the start.
        OSError: the data folder cannot be written.
    """
    require_parts()
    data = DataDir(options.data)
    with ExitStack() as undo:
        lock = undo.enter_context(data.locked())
        data.prepare()
        data.withdraw()
        port = claim_port(options.host, options.port)
        logger = undo.enter_context(open_log(data.log, echo=echo))
        socket_path = undo.enter_context(data.socket_path())
        supervisor = Supervisor(logger, inherited=[lock])
        undo.callback(supervisor.stop)
        start = _Start(supervisor, time.monotonic() + options.ready_timeout_seconds, stop or threading.Event())

        external = server.external_url(os.environ)
        if external is None:
            start.server(data, socket_path)
        environment = part_environment(data, external or unix_url(socket_path))
        account = data.account() or make_account(data, environment)
        stack = Stack(start.service(options, port, environment), account)
        supervisor.keep_alive()
        data.announce(StackFacts(stack.url, os.getpid(), None if external else str(socket_path)))
        undo.callback(data.withdraw)
        yield stack


@dataclass(frozen=True, slots=True)
class _Start:
    """A start on its way: a process that dies, or a deadline that passes, is its end."""

    supervisor: Supervisor
    deadline: float
    stop: threading.Event

    def server(self, data: DataDir, socket_path: Path) -> None:
        binary = server.pick(server.find_binaries(), server.read_marker(data.marker))
        # Noted before the first write: a crash in between errs on the side of refusing.
        server.write_marker(data.marker, binary.version)
        arguments = server.command_line(binary, socket_path=socket_path, folder=data.server_files)
        program = Program(
            name="redis", arguments=arguments, environment=os.environ, grace_seconds=SERVER_GRACE_SECONDS
        )
        self.supervisor.start(program)
        self._wait_until("redis", lambda: None if server.answers(socket_path) else "it does not answer")

    def service(self, options: StackOptions, port: int, environment: Mapping[str, str]) -> str:
        serve = (*PYTHON, "gateway", "serve", "--host", options.host, "--port", str(port))
        gateway = Program(name="gateway", arguments=serve, environment=environment)
        shared = {"KEYCUT_THREADS": str(max(1, cpus() // options.workers)), **environment}
        workers = (
            Program(name=f"worker-{number}", arguments=(*PYTHON, "worker", "run"), environment=shared)
            for number in range(1, options.workers + 1)
        )
        self.supervisor.start(gateway, *workers)
        url = address(options.host, port)
        self._wait_until("the service", lambda: why_not_ready(url))
        return url

    def _wait_until(self, name: str, why_not: Callable[[], str | None]) -> None:
        while (reason := why_not()) is not None:
            self.supervisor.check()
            if self.stop.wait(LOOK_SECONDS):
                raise KeyboardInterrupt
            if time.monotonic() > self.deadline:
                raise StartFailed(name, f"was not ready in time: {reason}", self.supervisor.last_lines(name))
        self.supervisor.check()


def require_parts() -> None:
    """Make sure that gateway and worker can be run here.

    Raises:
        PartsMissing: a library is not installed.
    """
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise PartsMissing(missing)


def cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def unix_url(socket_path: Path) -> str:
    """A server's unix socket as an address."""
    return f"unix://{quote(str(socket_path))}"


def address(host: str, port: int) -> str:
    """Where to reach a service from this machine that listens on `host`, which may mean every address."""
    try:
        anywhere = ip_address(host).is_unspecified
    except ValueError:  # a name
        anywhere = False
    reachable = "localhost" if anywhere else host
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def claim_port(host: str, port: int) -> int:
    """The port to listen on, tried out: `port` itself, or a free one for 0.

    Raises:
        PortInUse: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as listener:
            return int(listener.getsockname()[1])
    except OSError as error:
        raise PortInUse(host, port, error.strerror or str(error)) from None


def why_not_ready(url: str) -> str | None:
    """None when the service could do a job now; otherwise what it says."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5, trust_env=False)
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return None if answer.is_success else answer.text.strip()


def part_environment(data: DataDir, redis_url: str) -> dict[str, str]:
    """The environment of gateway and workers."""
    environment = {name: value for name, value in os.environ.items() if name != "KEYCUT_PUBLIC_URL"}
    environment.setdefault("KEYCUT_LOG_FORMAT", "console")
    return environment | {
        "KEYCUT_SECRETS_DIR": str(data.secrets),
        "KEYCUT_REDIS_URL": redis_url,
        "KEYCUT_BLOB_DIR": str(data.blobs),
        "PYTHONUNBUFFERED": "1",
    }


def running_environment(data: DataDir) -> dict[str, str] | None:
    """The environment for commands to the stack of a folder; None when none runs and no server was named."""
    external = server.external_url(os.environ)
    if external is not None:
        return part_environment(data, external)
    facts = data.running()
    if facts is None or facts.redis_socket is None:
        return None
    return part_environment(data, unix_url(Path(facts.redis_socket)))


def make_account(data: DataDir, environment: Mapping[str, str]) -> Account:
    """Let the gateway make the first account, and keep its key pair.

    Raises:
        CommandFailed: it could not.
    """
    command = ("gateway", "keys", "add", "--name", "first", "--json")
    done = subprocess.run(
        (*PYTHON, *command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    lines = done.stderr.strip().splitlines()
    if done.returncode != 0:
        raise CommandFailed(" ".join(command), done.returncode, lines[-1] if lines else "it said nothing")
    try:
        made = json.loads(done.stdout)
        account = Account(made["public_key"], made["private_key"])
    except (ValueError, TypeError, LookupError):
        raise CommandFailed(" ".join(command), done.returncode, "its answer is no key pair in JSON") from None
    data.keep_account(account)
    return account


@contextmanager
def open_log(path: Path, *, echo: bool) -> Iterator[logging.Logger]:
    """One log for all processes, private to its owner, and on request copied to standard error."""
    path.touch(mode=PRIVATE)
    handlers: list[logging.Handler] = [
        RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    ]
    if echo:
        handlers.append(logging.StreamHandler())
    logger = logging.Logger("keycut.stack")
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    try:
        yield logger
    finally:
        for handler in handlers:
            handler.close()

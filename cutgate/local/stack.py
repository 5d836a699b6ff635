"""The whole service on this machine, as processes: server, gateway, courier, workers."""

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import httpx

from cutgate.errors import PortInUse, StartFailed
from cutgate.files import PRIVATE, write_whole
from cutgate.local import redis_server as server
from cutgate.local.data_folder import Account, DataDir, StackFacts
from cutgate.local.parts import first_account, part_command, part_environment, require_parts
from cutgate.local.supervisor import Program, Supervisor

LOG_BYTES: Final = 16 * 2**20
"""The log is moved aside at this size; one older part is kept."""
LOOK_SECONDS: Final = 0.1
READY_SECONDS: Final = 180
"""How long the start may take."""
SERVER_GRACE_SECONDS: Final = 2.5
"""With the grace of the others this stays under ten seconds for all."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is up: its address and its first account."""

    url: str
    account: Account


@contextmanager
def run_stack(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    workers: int = 1,
    shown: logging.Handler | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Stack]:
    """Start everything, keep it alive while the block runs, stop it within ten seconds.

    Args:
        folder: of its data.
        host: the address to listen on.
        port: 0 for a free one.
        workers: how many, for a picture at a time each.
        shown: takes the log's lines besides.
        stop: set by whoever wants the start to be given up.

    Raises:
        LocalError: it cannot be started; nothing is left running.
        KeyboardInterrupt: `stop` was set during the start.
        OSError: the data folder cannot be written.
    """
    require_parts("gateway", "worker")
    data = DataDir(folder)
    with ExitStack() as undo:
        lock = undo.enter_context(data.locked())
        data.require_room()
        data.prepare()
        data.withdraw()
        port = claim_port(host, port)
        logger = undo.enter_context(open_log(data.log, shown))
        socket_path = undo.enter_context(data.socket_path())
        supervisor = Supervisor(logger, inherited=[lock])
        undo.callback(supervisor.stop)
        start = _Start(supervisor, time.monotonic() + READY_SECONDS, stop or threading.Event())

        external = server.external_url(os.environ)
        redis = external or start.server(data, socket_path)
        account = first_account(data, part_environment(data, redis, "gateway"))
        environment_of = partial(part_environment, data, redis)
        stack = Stack(start.service(host, port, workers, environment_of), account)
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

    def server(self, data: DataDir, socket_path: Path) -> Path:
        """Start the server and return its socket."""
        binary = server.find_binary()
        users = data.folder / "users.acl"
        write_whole(users, server.access_control_list(data.server_password).encode(), mode=PRIVATE)
        arguments = server.command_line(binary, socket_path=socket_path, folder=data.server_files, users=users)
        program = Program(
            name="redis", arguments=arguments, environment=os.environ, grace_seconds=SERVER_GRACE_SECONDS
        )
        self.supervisor.start(program)
        self._wait_until("redis", lambda: None if server.answers(socket_path) else "it does not answer")
        return socket_path

    def service(self, host: str, port: int, workers: int, environment_of: Callable[[str], dict[str, str]]) -> str:
        """Start gateway, courier and workers, each in its environment, and return the service's address."""
        serve = part_command("gateway", "serve", "--host", host, "--port", str(port))
        gateway = Program(name="gateway", arguments=serve, environment=environment_of("gateway"))
        shared = {"CUTGATE_THREADS": str(max(1, cpus() // workers)), **environment_of("worker")}
        programs = (
            Program(
                name=f"worker-{number}",
                arguments=part_command("worker", "run"),
                environment={**shared, **own_metrics_port(shared, number)},
            )
            for number in range(1, workers + 1)
        )
        courier = Program(
            name="courier", arguments=part_command("courier", "run"), environment=environment_of("courier")
        )
        self.supervisor.start(gateway, courier, *programs)
        url = address(host, port)
        # One for all looks: to make one takes half as long as the pause between them.
        with httpx.Client(timeout=5, trust_env=False) as caller:
            self._wait_until("the service", lambda: why_not_ready(caller, url))
        return url

    def _wait_until(self, name: str, why_not: Callable[[], str | None]) -> None:
        while (reason := why_not()) is not None:
            self.supervisor.check()
            if self.stop.wait(LOOK_SECONDS):
                raise KeyboardInterrupt
            if time.monotonic() > self.deadline:
                raise StartFailed(name, f"was not ready in time: {reason}", self.supervisor.last_lines(name))
        self.supervisor.check()


def own_metrics_port(environment: Mapping[str, str], number: int) -> dict[str, str]:
    """The port of a worker's metrics, counted on from the first one's, which is set; workers share no port."""
    name = "CUTGATE_WORKER_METRICS_PORT"
    port = environment.get(name, "")
    return {name: str(int(port) + number - 1)} if port.isdecimal() else {}


def cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def address(host: str, port: int) -> str:
    """Where to reach a service from this machine that listens on `host`, which may mean every address."""
    reachable = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104 — compared
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
        # The text of `create_server` repeats the address.
        raise PortInUse(host, port, os.strerror(error.errno) if error.errno else str(error)) from None


def why_not_ready(caller: httpx.Client, url: str) -> str | None:
    """None when the service could do a job now; otherwise what it says."""
    try:
        answer = caller.get(f"{url}/readyz")
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return None if answer.is_success else f"{answer.text.strip()}; `cutgate doctor` says what is missing"


class LogFile(RotatingFileHandler):
    """Leaves out what cannot be written, on a full disk for one, of which the screen tells."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Print a traceback, unless it is the file's fault."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close it, whatever of it is not written yet."""
        with suppress(OSError):
            super().close()


@contextmanager
def open_log(path: Path, shown: logging.Handler | None = None) -> Iterator[logging.Logger]:
    """One log for all processes, private to its owner, and handed to `shown` as well."""
    path.touch(mode=PRIVATE)
    handlers: list[logging.Handler] = [LogFile(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")]
    if shown is not None:
        handlers.append(shown)
    logger = logging.Logger("cutgate.stack")
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    try:
        yield logger
    finally:
        for handler in handlers:
            handler.close()

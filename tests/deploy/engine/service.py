"""docker-compose.yml on a real engine: a project of its own, and what a test asks of its containers."""

import ast
import configparser
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import httpx
from typing_extensions import override

from cutgate import Client
from cutgate.client.client import Job
from tests.deploy.compose_model import ROOT
from tests.deploy.engine.engine import Engine
from tests.servers.ports import free_port
from tests.waiting import eventually

WORKERS: Final = 3
PHOTOS: Final = tuple(sorted((ROOT / "examples").glob("*.jpg")))
READY_SECONDS: Final = 180
JOB_SECONDS: Final = 300
_FILES: Final = ("docker-compose.yml", "deploy/compose/build-secrets.yml")
OF_THIS_MACHINE: Final = ("constraint", "build-constraint", "find-links", "extra-index-url")
"""Options of pip that a build does without: its lock files fix every version."""
_UP: Final = ("up", "--detach", "--wait", "--scale", f"worker={WORKERS}")


class Service(ExitStack):
    """The service in containers, built from this checkout; its end removes all but images."""

    def __init__(self, engine: Engine, folder: Path, name: str, *profiles: str, **environment: str) -> None:
        """Prepare secrets and settings in an empty folder, but start nothing."""
        super().__init__()
        self.engine, self.name, self._profiles = engine, name, profiles
        self.ports = {part: free_port() for part in ("gateway", "http", "https")}
        given = {
            "CUTGATE_VERSION": "check",
            "CUTGATE_SECRETS": str(folder / "secrets"),
            "CUTGATE_BIND": f"{engine.address}:{self.ports['gateway']}",
            "CUTGATE_HTTP_BIND": f"{engine.address}:{self.ports['http']}",
            "CUTGATE_HTTPS_BIND": f"{engine.address}:{self.ports['https']}",
            **build_secrets(folder),
            **environment,
        }
        kept = {key: value for key, value in engine.environment.items() if not key.startswith("COMPOSE_")}
        self._environment = kept | given
        self.secrets = folder / "secrets"
        subprocess.run(["sh", ROOT / "deploy" / "secrets.sh", self.secrets], check=True)
        self.callback(self.compose, "down", "--volumes", "--remove-orphans", check=False)

    def compose(self, *words: str, check: bool = True) -> str:
        files = [word for file in _FILES for word in ("--file", file)]
        profiles = [word for profile in self._profiles for word in ("--profile", profile)]
        # The checkout's own .env is somebody's service.
        own = ["--env-file", "/dev/null", "--project-name", self.name]
        done = subprocess.run(
            ["docker", "compose", *own, *files, *profiles, *words],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def up(self, *options: str) -> None:
        """Start what is not running and wait until all of it is healthy."""
        self.compose(*_UP, *options)

    def execute(self, container: str, *command: str, user: str | None = None) -> str:
        options = [] if user is None else ["--user", user]
        return self.engine.run("exec", *options, container, *command)

    def containers(self, service: str = "") -> dict[str, str]:
        """Ids of the running containers by their names."""
        filters = [f"--filter=label=com.docker.compose.project={self.name}"]
        if service:
            filters.append(f"--filter=label=com.docker.compose.service={service}")
        rows = self.engine.run("ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}", *filters).splitlines()
        return dict(row.split() for row in sorted(rows))

    def container(self, service: str) -> str:
        return next(iter(self.containers(service).values()))

    def inspect(self, container: str, path: str) -> str:
        """A property of a container, such as `.State.Pid`."""
        return self.engine.run("inspect", "--format", f"{{{{{path}}}}}", container).strip()

    @property
    def url(self) -> str:
        return f"http://{self.engine.address}:{self.ports['gateway']}"

    @cached_property
    def account(self) -> Mapping[str, Any]:
        """An account as an operator makes it; its key pair."""
        command = ("python", "-m", "cutgate.gateway", "keys", "add", "--name", "first", "--json")
        account: Mapping[str, Any] = json.loads(self.execute(self.container("gateway"), *command))
        return account

    def client(self, url: str = "", transport: httpx.BaseTransport | None = None) -> Client:
        """A caller with that account."""
        return Client(
            url or self.url, self.account["public_key"], self.account["private_key"], transport=transport
        )

    def wait_until_ready(self) -> None:
        """Wait until the gateway says that jobs can be done."""
        with httpx.Client() as caller:
            eventually(
                lambda: caller.get(f"{self.url}/readyz").status_code == 200,
                READY_SECONDS,
                despite=(httpx.TransportError,),
            )


def submitted(client: Client, count: int) -> list[Job]:
    """So many jobs, one photo after the other."""
    return [client.remove_background(PHOTOS[number % len(PHOTOS)]) for number in range(count)]


def finished(client: Client, uids: list[str]) -> int:
    """Wait for jobs; how many of them have a PNG."""
    jobs = [client.job(uid) for uid in uids]
    for job in jobs:
        job.wait(timeout_seconds=JOB_SECONDS)
    return sum(job.result().startswith(b"\x89PNG") for job in jobs)


class AsLocalhost(httpx.HTTPTransport):
    """Speaks to an address as if `localhost` were there, to TLS and to HTTP."""

    def __init__(self, address: str, **options: Any) -> None:
        super().__init__(**options)
        self._address = address

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host=self._address)
        request.extensions = {**request.extensions, "sni_hostname": "localhost"}
        return super().handle_request(request)


def build_secrets(folder: Path) -> dict[str, str]:
    """Files that tell pip and npm of a build what they are told here, less what lies on this machine alone."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    settings = configparser.RawConfigParser()
    # The environment comes last, because it counts for more.
    for line in sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        section, _, option = name.replace(":env:", "global").partition(".")
        if option not in OF_THIS_MACHINE:
            settings.read_dict({section: {option: ast.literal_eval(value)}})
    pip, npmrc, own = folder / "pip.conf", folder / "npmrc", Path.home() / ".npmrc"
    with pip.open("w", encoding="utf-8") as file:
        settings.write(file)
    npmrc.write_text(own.read_text(encoding="utf-8") if own.exists() else "", encoding="utf-8")
    return {"CUTGATE_PIP_CONF": str(pip), "CUTGATE_NPMRC": str(npmrc)}

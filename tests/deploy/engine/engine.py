"""A Docker Engine to run the Compose file on: the one that answers, or one that is started for the purpose."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy.engine import debian, namespace
from tests.servers.ports import OWN_ADDRESSES
from tests.waiting import eventually

LEAST_ENGINE: Final = (25, 0)
LEAST_COMPOSE: Final = (2, 24)
FOLDER_VARIABLE: Final = "CUTGATE_CHECK_DIR"
"""Where a started engine keeps its programs, images and logs, so that the next run is warm."""
START_SECONDS: Final = 60
STOP_SECONDS: Final = 90
WANTED: Final = (
    "a Docker Engine from 25 with Compose from 2.24 must answer (Debian 13: `apt-get install docker.io "
    "docker-compose docker-buildx`; Ubuntu 24.04: `apt-get install docker.io docker-compose-v2 docker-buildx`), "
    "or this must be root on Debian 12 or 13 with apt, nsenter (util-linux) and ip (iproute2), to start one from "
    "Debian 13's packages"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answers to `docker` in an environment."""

    environment: Mapping[str, str]
    address: str = "127.0.0.1"
    """Where this process reaches its published ports."""
    enter: tuple[str, ...] = ()
    """What runs a command in the network of an engine that was started for the tests."""

    def try_(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `docker WORDS`, which may fail."""
        command = ["docker", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def run(self, *words: str) -> str:
        done = self.try_(*words)
        assert done.returncode == 0, f"docker {shlex.join(words)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def versions(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Of the engine and of Compose; nothing where one of them does not answer."""
        if shutil.which("docker", path=self.environment["PATH"]) is None:
            return None
        answers = (
            self.try_("version", "--format", "{{.Server.Version}}"),
            self.try_("compose", "version", "--short"),
        )
        if any(answer.returncode for answer in answers):
            return None
        server, compose = (tuple(map(int, re.findall(r"\d+", answer.stdout)[:2])) for answer in answers)
        return server, compose


@contextmanager
def some_engine() -> Iterator[Engine]:
    """The engine that answers here, or one of Debian's packages, which ends with the context."""
    if (answering := answering_engine()) is not None:
        yield answering
        return
    assert debian.is_usable(), WANTED
    folder = check_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with _started(debian.unpacked_engine(folder), folder) as engine:
        yield engine


def answering_engine() -> Engine | None:
    """The engine that answers here, if it and its Compose are new enough."""
    engine = Engine(environment=os.environ)
    versions = engine.versions()
    is_enough = versions is not None and versions[0] >= LEAST_ENGINE and versions[1] >= LEAST_COMPOSE
    return engine if is_enough else None


def check_dir() -> Path:
    """Where a started engine lives."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).absolute() if named else Path.home() / ".cache" / "cutgate" / "engine-check"


@contextmanager
def _started(programs: Path, folder: Path) -> Iterator[Engine]:
    """An engine with data, socket and network of its own."""
    socket, plugins = folder / "docker.sock", folder / "config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for plugin in (programs / debian.PLUGINS).iterdir():
        (plugins / plugin.name).unlink(missing_ok=True)
        (plugins / plugin.name).symlink_to(plugin)
    environment = {
        **debian.environment_of(programs),
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_CONFIG": str(plugins.parent),
    }
    engine = Engine(environment=environment, address=namespace.THERE, enter=namespace.ENTER)
    with namespace.namespace(environment), _dockerd(engine, folder, socket):
        OWN_ADDRESSES.update((namespace.HERE, namespace.THERE))
        yield engine


@contextmanager
def _dockerd(engine: Engine, folder: Path, socket: Path) -> Iterator[None]:
    pid_file, log = folder / "dockerd.pid", folder / "dockerd.log"
    pid_file.unlink(missing_ok=True)
    command = [
        *(*engine.enter, "dockerd", f"--host=unix://{socket}", f"--pidfile={pid_file}"),
        *(f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--mtu={_mtu()}"),
    ]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C stops the tests, and those stop the engine when they have cleaned up.
        process = subprocess.Popen(
            command, env=engine.environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        eventually(
            lambda: process.poll() is not None or engine.versions() is not None,
            START_SECONDS,
            say=lambda: log.read_text(encoding="utf-8")[-4000:],
        )
        assert process.poll() is None, log.read_text(encoding="utf-8")[-4000:]
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _mtu() -> int:
    """The largest packet, in bytes, that every wire of this machine takes."""
    links = [link for link in Path("/sys/class/net").iterdir() if (link / "device").exists()]
    return min((int((link / "mtu").read_text(encoding="ascii")) for link in links), default=1500)

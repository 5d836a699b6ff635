"""The whole service as processes, each started again when it dies: server, gateway, courier, three workers."""

import base64
import json
import logging
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
from redis import Redis
from redis.exceptions import RedisError
from typing_extensions import override

from cutgate.gateway.accounts.credentials import KeyPair
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.redis_client import connect
from cutgate.local.supervisor import Backoff, Program, Supervisor
from tests.chaos.pictures import backgrounds
from tests.chaos.stand_ins import FOLDER_VARIABLE, WORK_SECONDS_VARIABLE, FaultPoints
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.ports import free_port
from tests.servers.redis_server import server_binary
from tests.servers.relay import Relay, served
from tests.servers.sentinel import Watched, watched_server
from tests.waiting import eventually


class Wire(Relay):
    """Passes everything on until it is told otherwise."""

    def __init__(self, address: Path, upstream: str, lost: Callable[[], None]) -> None:
        """Make a wire; `lost` is called for each reply that is lost."""
        super().__init__(upstream, str(address))
        self.loss_chance = 0.0
        """Chance in [0, 1] that a connection breaks in place of a reply."""
        self._lost = lost
        self._whole = threading.Event()
        self._whole.set()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing through as long as the block lasts; nobody is told, as when a cable is pulled."""
        self._whole.clear()
        try:
            yield
        finally:
            self._whole.set()

    @override
    def passes(self, *, reply: bool) -> bool:
        self._whole.wait()
        if not reply or random.random() >= self.loss_chance:
            return True
        self._lost()
        return False


ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = ("worker-1", "worker-2", "worker-3")
GATEWAY: Final = "gateway"
COURIER: Final = "courier"
SERVER: Final = "redis"
PRICE_CREDITS: Final = 3
LEASE_SECONDS: Final = 2.0

START_SECONDS: Final = 120
_STOP_SECONDS: Final = 3
DATA: Final = "appendonlydir"
"""The server's folder of its append-only file."""
_KEPT_WHOLE: Final = (
    *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"),
    *("--auto-aof-rewrite-percentage", "0"),  # the history stays whole
)
"""How the server keeps its data."""
_NEVER_ALONE: Final = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "10")
"""A master without its copy takes no writes, as `docs/reliability.md` advises."""
_AGAIN: Final = Backoff(first_seconds=0.05, longest_seconds=0.05)

_SETTINGS: Final[Mapping[str, str]] = {
    "CUTGATE_THREADS": "1",
    "CUTGATE_LEASE_SECONDS": str(LEASE_SECONDS),
    "CUTGATE_JOB_TIMEOUT_SECONDS": "30",
    "CUTGATE_MAX_ATTEMPTS": "20",
    "CUTGATE_ACCOUNT_QUEUE_CAP": "10000",
    "CUTGATE_IMAGE_PRICE_CREDITS": str(PRICE_CREDITS),
    "CUTGATE_REQUEST_THREADS": "8",
    "CUTGATE_REMOVEBG_UNITS_PER_MINUTE": "1000000",
    "CUTGATE_COURIER_ALLOWED_NETWORKS": "127.0.0.1",
    "CUTGATE_SHUTDOWN_SECONDS": "2",
    WORK_SECONDS_VARIABLE: "0.1",
}

AWAY: Final = (LedgerUnavailable, RedisError, OSError)
"""What calls of the server say while it restarts."""


class Service:
    """Runs as long as the block lasts. Whatever ends the harness ends the processes too."""

    def __init__(
        self, settings: Mapping[str, str], *, redis_dir: Path | None = None, with_copy: bool = False
    ) -> None:
        """Prepare a service of its own; `with_copy`, its server has a copy and a sentinel, and no wires."""
        self.watched: Watched | None = None
        self._with_copy = with_copy
        self._redis_dir, self._own_settings = redis_dir, settings
        self._put_away: list[Path] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            # Not pytest's folder: a socket's path must stay under 100 characters.
            self.folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="cutgate-")))
            self._make_parts(opening)
            self._start(opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _make_parts(self, opening: ExitStack) -> None:
        for name in ("redis", "models", "graphs", "faults"):
            (self.folder / name).mkdir()
        self.redis_dir = self._redis_dir or self.folder / "redis"
        self.blob_dir = self.folder / "blobs"
        self.faults = FaultPoints(self.folder / "faults")
        self.faults.switch({})
        server = str(self.folder / "redis.sock")
        self.gateway_wire, self.worker_wire = (
            opening.enter_context(served(Wire(self.folder / name, server, self.faults.note)))
            for name in ("gateway.sock", "worker.sock")
        )
        self.redis_url = f"unix://{server}"
        if self._with_copy:
            self.watched = opening.enter_context(watched_server(None, *_KEPT_WHOLE, *_NEVER_ALONE))
            self.redis_url = self.watched.url
        self.client: Redis = opening.enter_context(connect(self.redis_url))
        # One for all looks: to make one takes the processor for longer than a look does.
        self._caller = opening.enter_context(httpx.Client(headers={"Connection": "close"}))
        self.port = free_port()
        self.backgrounds_url = opening.enter_context(backgrounds())
        self.settings = self._settings_here()
        settings = {name: value for name, value in self.settings.items() if name.startswith("CUTGATE_")}
        self.limits = GatewaySettings.model_validate(
            {name.removeprefix("CUTGATE_").lower(): value for name, value in settings.items()}
        ).ledger_limits()
        self.ledger = Ledger(self.client, self.limits)

    def _settings_here(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {
            "PYTHONPATH": str(ROOT),
            "CUTGATE_BLOB_DIR": str(self.blob_dir),
            "CUTGATE_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "CUTGATE_MODEL": write_tiny_model(self.folder / "models"),
            "CUTGATE_MODELS_DIR": str(self.folder / "models"),
            "CUTGATE_CACHE_DIR": str(self.folder / "graphs"),
            "CUTGATE_HOST": "127.0.0.1",
            "CUTGATE_PORT": str(self.port),
            "CUTGATE_COURIER_PORTS": str(urlsplit(self.backgrounds_url).port),
            FOLDER_VARIABLE: str(self.folder / "faults"),
        }
        return {**kept, **_SETTINGS, **own, **self._own_settings}

    def _start(self, opening: ExitStack) -> None:
        log = logging.Logger("service")
        handler = logging.FileHandler(self.folder / "service.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)
        opening.callback(handler.close)
        self._supervisor = Supervisor(log, backoff=_AGAIN)
        opening.callback(self._supervisor.stop)
        to_gateway, to_workers = self.redis_url, self.redis_url
        if self.watched is None:
            self._supervisor.start(self._server())
            to_gateway, to_workers = self.gateway_wire.url, self.worker_wire.url
        eventually(self.client.ping, START_SECONDS, despite=AWAY)
        gateway = self._part(GATEWAY, "gateway", "serve", to_gateway)
        courier = self._part(COURIER, "courier", "run", to_gateway)
        workers = [self._part(name, "worker", "run", to_workers) for name in WORKERS]
        self._supervisor.start(gateway, courier, *workers)
        self._supervisor.keep_alive()
        self.wait_until_well()

    def _server(self) -> Program:
        options = ["--port", "0", "--unixsocket", str(self.folder / "redis.sock"), "--dir", str(self.redis_dir)]
        command = (str(server_binary()), *options, *_KEPT_WHOLE)
        return Program(name=SERVER, arguments=command, environment={}, grace_seconds=_STOP_SECONDS)

    def _part(self, name: str, package: str, command: str, redis_url: str) -> Program:
        return Program(
            name=name,
            arguments=(sys.executable, "-m", "tests.chaos.stand_ins", package, command),
            environment={**self.settings, "CUTGATE_REDIS_URL": redis_url},
            grace_seconds=_STOP_SECONDS,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def redis_dirs(self) -> tuple[Path, ...]:
        """Where the server's data lies, behind what earlier masters left or a restore put away."""
        if self.watched is None:
            return (*self._put_away, self.redis_dir)
        return (*self.watched.left_behind, self.watched.data_dir())

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Copy the server's data; when the block ends, kill the server and start it on that copy."""
        data, copy = self.redis_dir / DATA, self.folder / "snapshot"
        away = self.folder / f"put-away-{len(self._put_away)}"
        away.mkdir()
        shutil.copytree(data, copy)
        yield
        data.rename(away / DATA)
        copy.rename(data)
        os.kill(self.leader(SERVER), signal.SIGKILL)
        self._put_away.append(away)

    def log_tail(self) -> str:
        """What the processes printed last."""
        return (self.folder / "service.log").read_text(encoding="utf-8")[-8000:]

    def leader(self, name: str) -> int:
        """The process of a part at present, which leads the group of its children."""
        return self._supervisor.pids[name]

    def members(self, name: str) -> list[int]:
        """Every process of a part."""
        group = self.leader(name)
        return [pid for pid in _processes() if _group_of(pid) == group]

    def ready_workers(self) -> tuple[str, ...]:
        names = {self.leader(name): name for name in WORKERS}
        # An owner is `<host>-<worker's process>.<number of its child>`.
        owners = [worker.owner.rpartition("-")[2] for worker in self.ledger.presence.alive()]
        leaders = {int(owner.partition(".")[0]) for owner in owners}
        return tuple(name for leader, name in names.items() if leader in leaders)

    def wait_until_well(self) -> None:
        eventually(self._is_well, START_SECONDS, say=self.log_tail, despite=(*AWAY, httpx.HTTPError))

    def wait_for_gateway(self) -> None:
        eventually(self._gateway_answers, START_SECONDS, say=self.log_tail, despite=(httpx.HTTPError,))

    def _is_well(self) -> bool:
        return self._gateway_answers() and len(self.ready_workers()) == len(WORKERS)

    def _gateway_answers(self) -> bool:
        return self._caller.get(f"{self.url}/healthz").raise_for_status().is_success

    def wait_for_fewer(self, open_count: int, account: str, seconds: float) -> None:
        """Wait until an account has fewer open jobs than so many, or the time for that is over."""
        with suppress(AssertionError):
            eventually(lambda: len(self.ledger.tasks.unfinished(account)) < open_count, seconds, despite=AWAY)

    def add_account(self, name: str, credit_count: int) -> KeyPair:
        """Add an account with credits, by the operator's command."""
        added = json.loads(self.keys("add", "--name", name, "--credits", str(credit_count), "--json"))
        return KeyPair(account=name, public_key=added["public_key"], private_key=added["private_key"])

    def add_api_key(self, account: str) -> str:
        """Add a key of Runware's and remove.bg's form to an account, by the operator's command."""
        return str(json.loads(self.keys("add", "--name", account, "--api-key", "--json"))["api_key"])

    def keys(self, *words: str) -> str:
        """What the operator's command answers."""
        environment = {**self.settings, "CUTGATE_REDIS_URL": self.redis_url}
        command = [sys.executable, "-m", "cutgate.gateway", "keys", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def _group_of(pid: int) -> int | None:
    """The process group that a process is in; None when there is no such process."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None

"""A real gateway on memory parts, served over HTTP."""

import itertools
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from cutgate import Client
from cutgate.commands.cli import main
from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.jobs.ports import BlobStore
from cutgate.protocol.connection import Retries
from tests.fakes import MemoryBlobStore
from tests.gateway import on_loop
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY, Harness, make_settings
from tests.gateway.picture_files import png
from tests.ledgers import FreshLedger, fresh_key_table, fresh_presence


@dataclass(frozen=True)
class Service:
    """A gateway's address, and the gateway behind it, whose worker the test plays."""

    url: str
    gateway: Harness

    def client(self, private_key: str = PRIVATE_KEY) -> Client:
        return Client(self.url, PUBLIC_KEY, private_key)

    def run(self, *arguments: str | Path, private_key: str = PRIVATE_KEY) -> Result:
        """Run the command for that account in this process."""
        return run(*arguments, *self._account, CUTGATE_PRIVATE_KEY=private_key)

    def start(
        self, *arguments: str | Path, private_key: str = PRIVATE_KEY, stderr: int = PIPE, **more: str
    ) -> Popen[str]:
        """Start the command for that account in a process of its own."""
        command = [sys.executable, "-m", "cutgate", *map(str, arguments), *self._account]
        environment = os.environ | {"CUTGATE_PRIVATE_KEY": private_key} | more
        return Popen(command, env=environment, stdout=PIPE, stderr=stderr, text=True)

    @property
    def _account(self) -> tuple[str, ...]:
        return "--url", self.url, "--public-key", PUBLIC_KEY


@contextmanager
def served(blobs: BlobStore, **changes: Any) -> Iterator[Service]:
    """A gateway over HTTP.

    Args:
        blobs: where it keeps pictures.
        changes: to its settings.
    """
    settings = make_settings(**changes)
    ledger = FreshLedger(settings.ledger_limits())
    accounts = Accounts(fresh_key_table(ledger.key_prefix), settings.master_keys())
    Credentials(accounts).add_pair(ACCOUNT, public_key=PUBLIC_KEY, private_key=PRIVATE_KEY)
    gateway = Harness(
        settings=settings,
        accounts=accounts,
        store=ledger,
        events=ledger.events,
        presence=fresh_presence(),
        blobs=blobs,
    )
    # Else the gateway's lines would stand among the command's, in one process.
    with on_loop.served(gateway.app) as address, capture_logs():
        yield Service(f"http://{address}", gateway)


@pytest.fixture
def service() -> Iterator[Service]:
    with served(MemoryBlobStore()) as service:
        yield service


@pytest.fixture
def delivered() -> bytes:
    """What the worker of `worked_service` makes of each picture."""
    return b"done"


@contextmanager
def working(
    service: Service,
    delivered: bytes,
    subjects: Sequence[bool] | None = None,
    confidences: Sequence[float] = (),
) -> Iterator[Service]:
    """A service whose worker answers each picture with the same cut-out.

    Args:
        service: whose pictures it does.
        delivered: the cut-out.
        subjects: whether there is a subject in each of the pictures, and in none that come later; None for all.
        confidences: of each of the pictures; of those that come later 0.9.
    """
    stop = threading.Event()
    found = itertools.repeat(True) if subjects is None else itertools.chain(subjects, itertools.repeat(False))

    sure = itertools.chain(confidences, itertools.repeat(0.9))

    def work() -> None:
        while not stop.wait(0.01):
            if service.gateway.store.waiting(service.gateway.lane):
                service.gateway.finish_one(delivered, subject_found=next(found), confidence=next(sure))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield service
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def worked_service(service: Service, delivered: bytes) -> Iterator[Service]:
    with working(service, delivered):
        yield service


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.jpg")]
    for path in paths:
        path.write_bytes(png())
    return paths


@pytest.fixture
def quick_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """`cutgate watch` in this process waits for nothing longer than it must."""
    monkeypatch.setattr("cutgate.commands.watch.SETTLE_SECONDS", 0.05)
    monkeypatch.setattr("cutgate.commands.watch.FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("cutgate.commands.watch.LOOK_MILLISECONDS", 20)
    monkeypatch.setattr("cutgate.commands.display.Retries", partial(Retries, attempts=1))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No service and no stack but those that a test names."""
    for name in ("CUTGATE_URL", "CUTGATE_PUBLIC_KEY", "CUTGATE_PRIVATE_KEY", "CUTGATE_REDIS_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def run(*arguments: str | Path, content: bytes = b"", **environment: str) -> Result:
    """Run the command in this process, whose environment stays as it is."""
    before = dict(os.environ)
    try:
        return CliRunner(env=environment).invoke(main, list(map(str, arguments)), input=content)
    finally:
        os.environ.clear()
        os.environ.update(before)

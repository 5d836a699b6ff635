"""The service under attack: gateway, workers and server as processes, and a watch over what must stay as it is."""

import json
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from cutgate import Client
from cutgate.errors import CutgateError
from cutgate.gateway.accounts.credentials import KeyPair
from cutgate.jobs.blobs.file import INSTALLATION_NAME
from tests.chaos.pictures import Picture, picture
from tests.chaos.service import GATEWAY, Service
from tests.chaos.verdict import still_open
from tests.hostile.judgement import Findings
from tests.servers.ports import free_port
from tests.waiting import eventually

HEALTHY_SECONDS: Final = 1.0
"""In which `/healthz` answers, whatever else goes on."""
JOB_SECONDS: Final = 10.0
"""In which a job of another account ends."""
REST_GROWTH_BYTES: Final = 64 * 2**20
"""What the gateway may hold more after an attack than before: the first thousand connections leave 51 MiB."""
SETTLE_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.25
_JOB_EVERY_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 30.0
_PROBE_SECONDS: Final = 10.0
_PROBE_FROM: Final = "127.0.0.99"
"""An address that has no other connection."""
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

SETTINGS: Final = {
    "CUTGATE_LOG_FORMAT": "json",
    "CUTGATE_SUBMITS_PER_SECOND": "100000",
    "CUTGATE_POLLS_PER_SECOND": "100000",
    "CUTGATE_FAILED_SIGNATURES_PER_MINUTE": "1000000",
    "CUTGATE_REQUEST_THREADS": "16",
    "CUTGATE_RUNWARE_SYNC_SECONDS": "0.2",
    "CUTGATE_REMOVEBG_SYNC_SECONDS": "0.2",
    "CHAOS_WORK_SECONDS": "0",
}
"""Rates that no attack reaches: it is to meet what lies behind them; and no call that waits long for a result."""
CREDITS: Final = 10_000_000


@dataclass
class Target:
    """The service, the account that attacks it, and what it answers to."""

    service: Service
    credentials: KeyPair
    api_key: str
    """The same account's key for Runware's protocol."""
    bystander: KeyPair
    """Another account, which is to be served all the while."""

    @property
    def port(self) -> int:
        return self.service.port

    @property
    def url(self) -> str:
        return self.service.url


@contextmanager
def target() -> Iterator[Target]:
    """The service as long as the block lasts."""
    with Service(SETTINGS) as service:
        credentials = service.add_account("hostile", CREDITS)
        warmed = httpx.get(f"{service.url}/healthz")
        assert warmed.status_code == 200
        bystander = service.add_account("bystander", CREDITS)
        yield Target(service, credentials, service.add_api_key(credentials.account), bystander)


@dataclass
class Watch:
    """Looks on while the service is attacked.

    The machine's own delays are measured beside it, by a server that does nothing else, and are not the gateway's.
    """

    target: Target
    findings: Findings
    healthy_seconds: float = HEALTHY_SECONDS
    longest_seconds: float = 0.0
    """What `/healthz` took at most, beyond the machine's own delay."""
    peak_bytes: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def look_on(self) -> None:
        """Ask again and again until it is over."""
        with _idle_server() as idle_port, ThreadPoolExecutor(1) as other:
            while not self._over.wait(_LOOK_SECONDS):
                idle = other.submit(_probe, idle_port)
                seconds = _probe(self.target.port) - idle.result()
                self.longest_seconds = max(self.longest_seconds, seconds)
                self.peak_bytes = max(self.peak_bytes, gateway_bytes(self.target.service))
                if seconds > self.healthy_seconds:
                    self.findings.blame(f"/healthz took more than {self.healthy_seconds:g} s", f"{seconds:.1f} s")

    def have_jobs_done(self) -> None:
        """Send a picture as another account, again and again until it is over; at least one."""
        keys = self.target.bystander
        with Client(
            self.target.url, keys.public_key, keys.private_key, timeout_seconds=_PATIENCE_SECONDS
        ) as client:
            for number in count():
                self._have_one_done(client, picture(number))
                if self._over.wait(_JOB_EVERY_SECONDS):
                    return

    def _have_one_done(self, client: Client, one: Picture) -> None:
        began = time.monotonic()
        try:
            job = client.remove_background(
                one.png(), erode_size=0, hair_optimization="off", only_mask=one.only_mask
            )
            result = job.result(timeout_seconds=_PATIENCE_SECONDS)
        except CutgateError as error:
            self.findings.blame("another account's job did not end", type(error).__name__)
            return
        if not one.fits(result):
            self.findings.blame("another account's result is not its picture's")
        seconds = time.monotonic() - began
        if seconds > JOB_SECONDS:
            self.findings.blame(f"another account's job took more than {JOB_SECONDS:g} s", f"{seconds:.1f} s")

    def end(self) -> None:
        self._over.set()


@contextmanager
def watched(
    target: Target, findings: Findings, peak_growth_bytes: int, healthy_seconds: float = HEALTHY_SECONDS
) -> Iterator[None]:
    """Look on while the block attacks, and see that it leaves nothing behind."""
    service = target.service
    before_bytes, log_end = gateway_bytes(service), log_path(service).stat().st_size
    before_pids = set(service.members(GATEWAY))
    watch = Watch(target, findings, healthy_seconds)
    with ThreadPoolExecutor(2) as threads:
        looking = [threads.submit(look) for look in (watch.look_on, watch.have_jobs_done)]
        try:
            yield
        finally:
            watch.end()
            for each in looking:
                each.result()
    findings.worst_seconds = max(findings.worst_seconds, watch.longest_seconds)
    growth_bytes = max(0, watch.peak_bytes - before_bytes)
    findings.worst_growth_bytes = max(findings.worst_growth_bytes, growth_bytes)
    if growth_bytes > peak_growth_bytes:
        fault = f"the gateway grew by more than {peak_growth_bytes // 2**20} MiB"
        findings.blame(fault, f"{growth_bytes / 2**20:.0f} MiB")
    if set(service.members(GATEWAY)) != before_pids:
        findings.blame("the gateway's processes were not the same afterwards")
    _judge_rest(target, findings, before_bytes)
    for line in error_lines(service, log_end):
        findings.blame("the log tells of an error", line)


def _judge_rest(target: Target, findings: Findings, before_bytes: int) -> None:
    """Hold what is left, once everything has ended, to what there should be."""
    service = target.service
    account = target.credentials.account
    for uid in service.ledger.tasks.unfinished(account):
        service.ledger.tasks.terminate(uid, account)  # nobody fetches what was asked for by URL
    try:
        eventually(lambda: not still_open(service.client), SETTLE_SECONDS)
    except AssertionError:
        findings.blame("work is left open", ", ".join(still_open(service.client))[:200])
    for name in (account, target.bystander.account):
        balance = service.ledger.accounts.balance(name)
        if balance is None or balance.reserved:
            findings.blame("credits are left reserved", f"{name}: {balance}")
    for path in strays(service):
        findings.blame("a blob belongs to no record", path)
    with suppress(AssertionError):
        eventually(lambda: gateway_bytes(service) - before_bytes <= REST_GROWTH_BYTES, 10)
    growth_bytes = gateway_bytes(service) - before_bytes
    if growth_bytes > REST_GROWTH_BYTES:
        findings.blame(
            f"the gateway kept more than {REST_GROWTH_BYTES // 2**20} MiB", f"{growth_bytes / 2**20:.0f} MiB"
        )


def strays(service: Service) -> list[str]:
    """Files in the blob store whose task or upload the ledger does not know."""
    known = {str(name).rpartition(":")[2] for kind in ("task", "upload") for name in _names(service, kind)}
    names = (path.name for path in service.blob_dir.rglob("*") if path.is_file())
    return [name for name in names if name != INSTALLATION_NAME and name.partition("-")[0] not in known]


def _names(service: Service, kind: str) -> Iterator[object]:
    return iter(service.client.scan_iter(match=f"*:{kind}:*", count=1_000))


def gateway_bytes(service: Service) -> int:
    """Memory that the gateway's processes hold."""
    held_bytes = 0
    for pid in service.members(GATEWAY):
        with suppress(OSError):
            held_bytes += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    return held_bytes


_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def log_path(service: Service) -> Path:
    return service.folder / "service.log"


def error_lines(service: Service, start: int) -> list[str]:
    """Lines of the log from a place on that tell of a fault of the service."""
    with log_path(service).open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return [line for line in lines if is_error(line)]


def is_error(line: str) -> bool:
    """Whether a line says so of itself; others are told in front of it, such as when it came."""
    try:
        facts = json.loads(line[line.index("{") :])
    except ValueError:
        return "Traceback" in line
    return isinstance(facts, dict) and facts.get("level") in {"error", "critical"}


def _probe(port: int) -> float:
    """In how many seconds a server answers on a fresh connection; no answer counts as an endless wait."""
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS, (_PROBE_FROM, 0)) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: watch\r\nConnection: close\r\n\r\n")
            if b" 200 " in connection.recv(2**12):
                return time.monotonic() - began
    except OSError:
        return math.inf
    return math.inf


@contextmanager
def _idle_server() -> Iterator[int]:
    """A server in a thread that answers at once: what it takes is the machine's and this process's."""
    with socket.create_server(("127.0.0.1", free_port())) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(2**12)
                        connection.sendall(_ANSWER)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()

"""A gateway of a tree, on a server and a data folder of its own."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.gateway.requests import Account
from benchmarks.trees import Tree
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.redis_client import connect
from cutgate.local.data_folder import DataDir
from cutgate.local.stack import claim_port
from tests.servers.redis_server import redis_server

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 120
_COMMANDS: Final = """
import io, json, sys
from contextlib import redirect_stdout
from cutgate.gateway.__main__ import main
for arguments in json.load(sys.stdin):
    with redirect_stdout(io.StringIO()) as printed:
        main(arguments, standalone_mode=False)
    print(printed.getvalue().strip())
"""
"""Runs many of the operators' commands in one process."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that serves."""

    tree: Tree
    port: int
    pid: int
    server_pid: int
    environment: Mapping[str, str]

    def accounts(self, terms: Mapping[str, Sequence[str]]) -> dict[str, Account]:
        """Add accounts with both kinds of keys, on terms as `keys add` takes them."""
        commands = [
            ["keys", "add", "--name", name, *more, "--json"]
            for name, own in terms.items()
            for more in (own, ["--api-key"])
        ]
        done = subprocess.run(
            [sys.executable, "-c", _COMMANDS],
            cwd=self.tree.root,
            env=self.environment,
            input=json.dumps(commands),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        made = iter(map(json.loads, done.stdout.splitlines()))
        return {
            name: Account(pair["public_key"], pair["private_key"], key["api_key"])
            for name, pair, key in zip(terms, made, made, strict=True)
        }

    def waiting(self) -> int:
        """Pictures in the queue."""
        with contextlib.closing(connect(self.environment["CUTGATE_REDIS_URL"])) as client:
            return sum(lane.waiting for lane in Ledger(client, LedgerLimits()).figures().lanes)

    def resident_mb(self) -> float:
        """Resident memory of the gateway's processes together; what they share counts in each."""
        return sum(_resident_kb(pid) for pid in _tree(self.pid)) / 1024

    def cpu_seconds(self) -> float:
        """Processor time that the gateway's processes have used so far."""
        return sum(map(_cpu_seconds, _tree(self.pid)))

    def server_cpu_seconds(self) -> float:
        """Processor time that the ledger's server has used so far."""
        return _cpu_seconds(self.server_pid)


@contextmanager
def live_gateway(tree: Tree, processes: int, **settings: str) -> Iterator[Gateway]:
    """A gateway for the length of the block; `settings` by their names, in capitals."""
    values = {"PROCESSES": str(processes), "LOG_FORMAT": "json", **settings}
    with (
        tempfile.TemporaryDirectory(prefix="cutgate-gateway-") as folder,
        redis_server("--hash-max-listpack-value", "1024") as url,
        connect(url) as client,
    ):
        data, port = DataDir(Path(folder)), claim_port(HOST, 0)
        data.prepare()
        places = {"REDIS_URL": url, "BLOB_DIR": str(data.blobs), "SECRETS_DIR": str(data.secrets)}
        environment = tree.environment(
            **{f"CUTGATE_{name}": value for name, value in {**places, **values}.items()}
        )
        command = [sys.executable, "-m", "cutgate.gateway", "serve", "--host", HOST, "--port", str(port)]
        with subprocess.Popen(command, cwd=tree.root, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_until_alive(process, port)
                yield Gateway(tree, port, process.pid, int(client.info("server")["process_id"]), environment)
            finally:
                process.terminate()


def _wait_until_alive(process: subprocess.Popen[bytes], port: int) -> None:
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
    """A process and what its first thread has started, as a gateway does."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _tree(int(child))


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _cpu_seconds(pid: int) -> float:
    """The processor time of all threads of a process, ended ones too; /proc has hundredths of a second alone."""
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) gives on Linux

"""What the gateway's commands run on: a Redis server and a folder for blobs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner

from cutgate.gateway.__main__ import main
from tests.constants import VARIABLE
from tests.gateway.harness import MASTER_KEY
from tests.servers.ports import free_port
from tests.waiting import eventually


@dataclass(frozen=True)
class LiveGateway:
    """A gateway that serves."""

    process: subprocess.Popen[bytes]
    address: str
    """Host and port."""
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@dataclass
class Installation:
    """A Redis server, a folder for blobs, and the gateway's environment."""

    redis_url: str
    blob_dir: Path

    def __post_init__(self) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CUTGATE_")},
            "CUTGATE_REDIS_URL": self.redis_url,
            "CUTGATE_MASTER_KEY": MASTER_KEY,
            "CUTGATE_BLOB_DIR": str(self.blob_dir),
            "CUTGATE_MAX_SOURCE_BYTES": "300000",
            "CUTGATE_MAX_BODY_BYTES": "500000",
            "CUTGATE_MAX_BATCH_BODY_BYTES": "500000",
            "CUTGATE_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
        }

    def call(self, *arguments: str, given: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in this process, which spares the imports of a new one."""
        ours = {name: None for name in os.environ if name.startswith("CUTGATE_")}
        result = CliRunner(env={**ours, **self.environment, **changes}).invoke(main, arguments, input=given)
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    @contextmanager
    def serving(
        self, *, program: Sequence[str] = ("-m", "cutgate.gateway"), **changes: str
    ) -> Iterator[LiveGateway]:
        """A gateway until the block ends."""
        if VARIABLE in changes:
            program = ("-m", "tests.constants", program[-1])
        port = free_port()
        log = self.blob_dir.with_name(f"{port}.log")
        command = [sys.executable, "-W", "error", *program, "serve", "--port", str(port)]
        with (
            log.open("wb") as output,
            subprocess.Popen(command, env=self.environment | changes, stdout=output, stderr=output) as process,
            # One for all looks: to make one takes the processor for longer than a look does.
            httpx.Client(headers={"Connection": "close"}, trust_env=False) as caller,
        ):
            gateway = LiveGateway(process, f"127.0.0.1:{port}", log)
            try:
                eventually(
                    lambda: caller.get(f"{gateway.url}/healthz").status_code == 200,
                    say=log.read_text,
                    despite=(httpx.TransportError,),
                )
                yield gateway
                process.terminate()
                process.wait(20)
            finally:
                process.kill()

    def keys(self, *arguments: str, given: str = "") -> Any:
        """Run a `keys` command and read its JSON."""
        done = self.call("keys", *arguments, "--json", given=given)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

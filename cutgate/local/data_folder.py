"""The data folder of `cutgate up`: what lies where, who has it, and its private files."""

import base64
import hmac
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from cutgate.errors import DataDirInUse, DataFileBroken, DiskFull, LocalError
from cutgate.files import PRIVATE, try_lock, write_whole
from cutgate.scratch import scratch_folder

MASTER_KEY_BYTES: Final = 32
LEAST_FREE_BYTES: Final = 64 * 2**20
"""With less room a disk is full, here and for the gateway, unless CUTGATE_LEAST_FREE_BYTES says otherwise."""
LONGEST_SOCKET_PATH_BYTES: Final = 99
"""macOS allows 103 and Linux 107; some is left for the server's own temporary names."""

TAKEOVER_SECONDS: Final = 10.0
"""How long a killed stack's processes may hold the folder until they have been stopped."""


_Facts = TypeVar("_Facts")


def default_data_dir() -> Path:
    """Where the stack keeps its data by default: `$XDG_DATA_HOME/cutgate` or `~/.local/share/cutgate`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "cutgate"


def shared_journal() -> Path:
    """Where commands remember results outside folders: below `$XDG_STATE_HOME` or `~/.local/state`."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "cutgate" / "results.jsonl"


@dataclass(frozen=True, slots=True)
class Account:
    """The keys of a stack's first account. Those that are secret are in no text made of it."""

    public_key: str
    private_key: str = field(repr=False)
    api_key: str = field(repr=False)
    """For Runware's protocol."""


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What a running stack tells other commands."""

    url: str
    pid: int
    redis_socket: str | None
    """Path of the server's unix socket; None when the stack uses a server that was there."""


class DataDir:
    """One data folder. Makes what is missing, private to its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.secrets = self.folder / "secrets"
        self.blobs = self.folder / "blobs"
        self.server_files = self.folder / "redis"
        self.log = self.folder / "cutgate.log"
        self._account = self.folder / "account.json"
        self._stack = self.folder / "stack.json"
        self._lock = self.folder / "lock"

    def prepare(self) -> None:
        """Make the folders inside, and the master key if there is none; to be called with the lock held."""
        for folder in (self.secrets, self.blobs, self.server_files):
            folder.mkdir(mode=0o700, exist_ok=True)
        key = self.secrets / "cutgate_master_key"
        if not key.exists():
            write_whole(key, base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)), mode=PRIVATE)

    def require_room(self) -> None:
        """Raise DiskFull where the folder, or its future place, has less room than the gateway works with."""
        given = os.environ.get("CUTGATE_LEAST_FREE_BYTES", "")
        least_bytes = int(given) if given.isdecimal() else LEAST_FREE_BYTES
        place = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
        free_bytes = shutil.disk_usage(place).free
        if free_bytes < least_bytes:
            raise DiskFull(self.folder, free_bytes)

    def server_password(self, user: str) -> str:
        """The password of a user of the stack's own server: made of the master key, which it does not tell."""
        key = (self.secrets / "cutgate_master_key").read_bytes()
        return hmac.digest(key, f"cutgate server's user {user}".encode(), "sha256").hex()

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder; yields the lock's file descriptor, which keeps it as long as any process has it open.

        Raises:
            DataDirInUse: another process has it.
            OSError: the folder cannot be made or written.
        """
        if sys.platform == "win32":
            raise LocalError("cutgate up needs Linux or macOS; on Windows run it inside WSL or Docker")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, PRIVATE)
        try:
            self._take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        deadline = time.monotonic() + TAKEOVER_SECONDS
        while not try_lock(descriptor):
            holder = self._holder()
            if holder is None or _is_alive(holder) or time.monotonic() > deadline:
                running = self.running()
                raise DataDirInUse(self.folder, holder, None if running is None else running.url)
            time.sleep(0.1)

    def _holder(self) -> int | None:
        text = self._lock.read_text().strip()
        return int(text) if text.isdigit() else None

    def account(self) -> Account | None:
        """The keys that were made first, or None."""
        return _read(self._account, Account)

    def keep_account(self, account: Account) -> None:
        """Store the keys for later starts."""
        _write(self._account, account)

    def announce(self, facts: StackFacts) -> None:
        """Tell other commands where the stack is."""
        _write(self._stack, facts)

    def withdraw(self) -> None:
        """Take the announcement back."""
        self._stack.unlink(missing_ok=True)

    def running(self) -> StackFacts | None:
        """The stack that runs here and is ready, or None; one that was killed does not count."""
        if not self._lock.exists() or (facts := _read(self._stack, StackFacts)) is None:
            return None
        return facts if _is_alive(facts.pid) and self._is_held() else None

    def _is_held(self) -> bool:
        descriptor = os.open(self._lock, os.O_RDWR)
        try:
            return not try_lock(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def socket_path(self) -> Iterator[Path]:
        """Where the server's unix socket goes: in the folder, or in a short one if that path is too long."""
        path = self.folder / "redis.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES:
            yield path
            return
        with scratch_folder() as short:
            yield short / "redis.sock"


def _is_alive(pid: int) -> bool:
    try:
        with suppress(PermissionError):  # it is another user's
            os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _read(path: Path, kind: type[_Facts]) -> _Facts | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return kind(**json.loads(content))
    except (ValueError, TypeError):
        raise DataFileBroken(path, f"no {kind.__name__} in JSON") from None


def _write(path: Path, facts: Account | StackFacts) -> None:
    write_whole(path, json.dumps(asdict(facts)).encode(), mode=PRIVATE)

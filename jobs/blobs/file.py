"""Blobs as files in a folder that gateways and workers share."""

import errno
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import structlog
from typing_extensions import override

from cutgate.jobs.errors import BlobMissing, BlobStoreFull, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, TaskUid, parse_task_uid
from cutgate.jobs.ports import BlobStore

INSTALLATION_NAME: Final = ".installation"
TEMPORARY_PREFIX: Final = ".writing-"
"""How files are named that no key names. A crash can leave one behind."""

_FOLDER_CHARACTERS: Final = slice(4, 6)
"""Of a task's id, those that change every four seconds and come again after 68 minutes: 1024 folders. What is
written together lies together, and a folder that is listed holds a thousandth of what is stored."""
_STANDING: Final = re.compile(r"[0-9a-v]{2}")
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_COPIED_BYTES: Final = 2**20
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""A disk without room, and a user who has used up what it may take of one."""
_LOG: Final = structlog.get_logger(__name__)


class FileBlobStore(BlobStore):
    """One file a blob at `<root>/<folder>/<task>-<item>-<role>-<token>`, readable by the service's user alone.

    The folders are made once and stay.

    A blob is written under its own name: nobody knows that before `put` returns. What a crash leaves of it goes
    with its task, as a whole one does that no record names.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._synced: set[Path] = set()
        """Folders whose names are on the disk."""
        with _storage_errors():
            root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    @override
    def put(self, key: BlobKey, data: bytes) -> None:
        with _storage_errors(), _closing(self._open_folder(key.task)) as folder:
            _put(folder, _name(key), [data])

    @override
    def get(self, key: BlobKey) -> bytes:
        with self.open(key) as file, _storage_errors():
            return file.read()

    @override
    def open(self, key: BlobKey) -> BinaryIO:
        with _storage_errors():
            try:
                return self._path(key).open("rb")
            except FileNotFoundError:
                # A volume that is not there has no blobs either, but none of them is lost.
                self._root.stat()
                raise BlobMissing(f"no blob {key}") from None

    @override
    def copy(self, source: BlobKey, target: BlobKey) -> None:
        """Give the file a second name: it is never changed, so that serves as well as other bytes.

        Where that is not to be had, across the parts of a storage or because there is something already, the bytes
        are copied.
        """
        name = _name(target)
        with (
            self.open(source) as original,
            _storage_errors(),
            _closing(self._open_folder(target.task)) as folder,
        ):
            try:
                os.link(original.name, name, dst_dir_fd=folder)
            except OSError:
                _put(folder, name, iter(partial(original.read, _COPIED_BYTES), b""))
            else:
                _sync_name(folder, name)

    @override
    def delete(self, *keys: BlobKey) -> None:
        with _storage_errors():
            for key in keys:
                self._path(key).unlink(missing_ok=True)

    @override
    def tasks(self) -> Iterator[TaskUid]:
        # Whatever else lies in the folder of a volume is none of the service's business.
        for folder in self._standing_folders():
            yield from _task_uids(_names_in(folder))

    @override
    def delete_task(self, uid: TaskUid) -> None:
        folder = self._folder(uid)
        names = [name for name in _names_in(folder) if name.startswith(f"{uid}-")]
        with _storage_errors():
            for name in names:
                (folder / name).unlink(missing_ok=True)

    @override
    def delete_unfinished(self, older_than_seconds: float) -> None:
        written_before = time.time() - older_than_seconds
        for folder in (self._root, *self._standing_folders()):
            for name in _names_in(folder):
                if name.startswith(TEMPORARY_PREFIX):
                    with _storage_errors(), suppress(FileNotFoundError):
                        if (folder / name).stat().st_mtime < written_before:
                            (folder / name).unlink()

    @override
    def installation(self) -> str | None:
        with _storage_errors():
            try:
                return (self._root / INSTALLATION_NAME).read_text().strip()
            except FileNotFoundError:
                return None

    @override
    def install(self, installation: str, *, replace: bool = False) -> str:
        with _storage_errors(), _closing(_open(self._root)) as root:
            with _temporary(root, [installation.encode()]) as temporary:
                if replace:
                    os.replace(temporary, INSTALLATION_NAME, src_dir_fd=root, dst_dir_fd=root)
                else:
                    with suppress(FileExistsError):
                        os.link(temporary, INSTALLATION_NAME, src_dir_fd=root, dst_dir_fd=root)
                os.fsync(root)
            return (self._root / INSTALLATION_NAME).read_text().strip()

    @override
    def check(self) -> None:
        with _storage_errors(), _closing(_open(self._root)) as root, _temporary(root, [b"probe"]):
            pass

    @override
    def free_bytes(self) -> int | None:
        with _storage_errors():
            disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize

    def _standing_folders(self) -> list[Path]:
        with _storage_errors():
            self._root.stat()
        return [self._root / name for name in _names_in(self._root) if _STANDING.fullmatch(name)]

    def _folder(self, uid: TaskUid) -> Path:
        return self._root / uid[_FOLDER_CHARACTERS]

    def _path(self, key: BlobKey) -> Path:
        """Where a blob lies: a key's parts hold no separator and no dot, so no path can leave the root."""
        return self._folder(key.task) / _name(key)

    def _open_folder(self, uid: TaskUid) -> int:
        """Open the folder of a task's blobs, whose name is on the disk.

        It is opened each time: the storage may be emptied or mounted anew while the process runs, and what is held
        open cannot be unmounted.
        """
        path = self._folder(uid)
        if path in self._synced:
            with suppress(FileNotFoundError):
                return _open(path)
        with suppress(FileExistsError):
            path.mkdir(mode=_FOLDER_MODE)
        # Also where another process has made it, which may not have come so far.
        with _closing(_open(self._root)) as root:
            os.fsync(root)
        self._synced.add(path)
        return _open(path)


def _name(key: BlobKey) -> str:
    return f"{key.task}-{key.index}-{key.role}-{key.token}"


def _task_uids(names: Iterable[str]) -> set[TaskUid]:
    """The tasks that names of blobs begin with; other names are left out."""
    found = set()
    for text in {name.partition("-")[0] for name in names}:
        with suppress(ValueError):
            found.add(parse_task_uid(text))
    return found


def _names_in(folder: Path) -> list[str]:
    """What lies in a folder; nothing where there is none."""
    with _storage_errors(), suppress(FileNotFoundError, NotADirectoryError):
        return os.listdir(folder)  # noqa: PTH208 (a path for each of many thousand names costs four times as much)
    return []


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _put(folder: int, name: str, pieces: Iterable[bytes]) -> None:
    """Write a file, and wait until it and its name are on the disk."""
    try:
        _write(folder, name, pieces)
    except FileExistsError:
        # A call that did not learn that it had succeeded is made again.
        with _temporary(folder, pieces) as temporary:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
    else:
        _sync_name(folder, name)


def _write(folder: int, name: str, pieces: Iterable[bytes]) -> None:
    """Write a file that is not there yet, and wait until its bytes are on the disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    file = os.open(name, flags, _FILE_MODE, dir_fd=folder)
    with _removed_if_failing(folder, name), _closing(file):
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)


def _sync_name(folder: int, name: str) -> None:
    """Wait until the name of a file is on the disk."""
    with _removed_if_failing(folder, name):
        os.fsync(folder)


@contextmanager
def _removed_if_failing(folder: int, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


@contextmanager
def _temporary(folder: int, pieces: Iterable[bytes]) -> Iterator[str]:
    """A file under a name of its own, its bytes on the disk. After the block nothing has that name."""
    name = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    _write(folder, name, pieces)
    try:
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Turn an error of the file system into `BlobStoreUnavailable`; its text names no path."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            _LOG.error("blob_store_full", reason=error.strerror)
            raise BlobStoreFull("the disk of the pictures is full") from error
        raise BlobStoreUnavailable(f"the blob store does not work: {error.strerror}") from error

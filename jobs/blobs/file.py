"""Blobs as files in a folder that gateways and workers share."""

import errno
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from typing_extensions import override

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import BlobMissing, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, TaskUid, parse_task_uid

INSTALLATION_NAME: Final = ".installation"
TEMPORARY_PREFIX: Final = ".writing-"
"""How unfinished files are named. A crash can leave one behind; no key has such a name."""

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_FOLDER_ATTEMPTS: Final = 20
_COPIED_BYTES: Final = 2**20


class FileBlobStore(BlobStore):
    """One file a blob at `<root>/<task>/<item>/<role>-<token>`, readable by the service's user alone."""

    def __init__(self, root: Path) -> None:
        """Use a folder, and make it if it is not there.

        Raises:
            BlobStoreUnavailable: it cannot be made.
        """
        self._root = root
        with _storage_errors():
            root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    @override
    def put(self, key: BlobKey, data: bytes) -> None:
        path = self._path(key)
        with _storage_errors(), self._temporary(path) as temporary:
            _write(temporary, [data])
            temporary.replace(path)
            _sync_folder(path.parent)

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
        path = self._path(target)
        with self.open(source) as original, _storage_errors(), self._temporary(path) as temporary:
            try:
                path.hardlink_to(self._path(source))
                temporary.unlink()
            except OSError:
                _write(temporary, iter(partial(original.read, _COPIED_BYTES), b""))
                temporary.replace(path)
            _sync_folder(path.parent)

    @override
    def delete(self, key: BlobKey) -> None:
        path = self._path(key)
        with _storage_errors():
            path.unlink(missing_ok=True)
            self._remove_empty_folders(path)

    @override
    def tasks(self) -> Iterator[TaskUid]:
        with _storage_errors():
            names = [folder.name for folder in self._root.iterdir()]
        for name in names:
            # Whatever else lies in the folder of a volume is none of the service's business.
            with suppress(ValueError):
                yield parse_task_uid(name)

    @override
    def delete_task(self, uid: TaskUid) -> None:
        with _storage_errors():
            for path in _below(self._root / uid):
                _remove(path)

    @override
    def delete_unfinished(self, older_than_seconds: float) -> None:
        written_before = time.time() - older_than_seconds
        for uid in self.tasks():
            with _storage_errors():
                for path in _below(self._root / uid):
                    if path.is_dir() or path.name.startswith(TEMPORARY_PREFIX):
                        _remove_if_older(path, written_before)
        with _storage_errors():
            for path in self._root.glob(f"{TEMPORARY_PREFIX}*"):
                _remove_if_older(path, written_before)

    @override
    def installation(self) -> str | None:
        with _storage_errors():
            try:
                return (self._root / INSTALLATION_NAME).read_text().strip()
            except FileNotFoundError:
                return None

    @override
    def install(self, installation: str, *, replace: bool = False) -> str:
        path, temporary = self._root / INSTALLATION_NAME, self._root / _temporary_name()
        with _storage_errors():
            try:
                _create(temporary)
                _write(temporary, [installation.encode()])
                if replace:
                    temporary.replace(path)
                else:
                    with suppress(FileExistsError):
                        path.hardlink_to(temporary)
                _sync_folder(self._root)
            finally:
                temporary.unlink(missing_ok=True)
            return path.read_text().strip()

    @override
    def check(self) -> None:
        with _storage_errors():
            probe = self._root / _temporary_name()
            try:
                _create(probe)
                _write(probe, [b"probe"])
            finally:
                probe.unlink(missing_ok=True)

    def _path(self, key: BlobKey) -> Path:
        # A key's parts hold no separator and no dot, so the path cannot leave the root.
        return self._root / str(key)

    @contextmanager
    def _temporary(self, path: Path) -> Iterator[Path]:
        """An empty file beside a blob's place, which holds the folder; it is removed if the block fails."""
        temporary = path.with_name(_temporary_name())
        try:
            self._create_with_folders(temporary)
            yield temporary
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._remove_empty_folders(path)
            raise

    def _create_with_folders(self, path: Path) -> None:
        """Create an empty file, and the folders of its item and task.

        A delete that empties the folder can take it away between its making and the file's, so both are repeated;
        once the file is there, the folder is not empty and stays.
        """
        for _ in range(_FOLDER_ATTEMPTS):
            with suppress(FileNotFoundError):
                for folder in (path.parent.parent, path.parent):
                    self._make_folder(folder)
                return _create(path)
        self._root.stat()
        raise BlobStoreUnavailable("the folder of a blob was taken away again and again")

    def _make_folder(self, folder: Path) -> None:
        with suppress(FileExistsError):
            folder.mkdir(mode=_FOLDER_MODE)
            _sync_folder(folder.parent)

    def _remove_empty_folders(self, path: Path) -> None:
        """Remove the item's folder and the task's, as far as they are empty: `rmdir` refuses all others."""
        for folder in (path.parent, path.parent.parent):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return


def _below(folder: Path) -> list[Path]:
    """A folder and all that it holds, what lies deepest first. Parts of it may be gone meanwhile, or all."""

    def heed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    found: list[Path] = []
    for parent, _, files in os.walk(folder, topdown=False, onerror=heed):
        found += [*(Path(parent, name) for name in files), Path(parent)]
    return found


def _remove(path: Path) -> None:
    """Remove a file, or a folder if it is empty. It may be gone already."""
    with suppress(FileNotFoundError):
        if not path.is_dir():
            path.unlink()
            return
        try:
            path.rmdir()
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise


def _remove_if_older(path: Path, written_before: float) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < written_before:
            _remove(path)


def _temporary_name() -> str:
    return f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a whole file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Turn an error of the file system into `BlobStoreUnavailable`; its text names no path."""
    try:
        yield
    except OSError as error:
        raise BlobStoreUnavailable(f"the blob store does not work: {error.strerror}") from error

"""Scratch folders that outlive no process: what a killed one left goes when the next one is made."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cutgate.files import try_lock

PREFIX: Final = ".cutgate-scratch-"
"""How the names of all scratch folders begin; nothing else may have such a name."""


@contextmanager
def scratch_folder(parent: Path | str | None = None) -> Iterator[Path]:
    """A private folder for the length of the block, locked to tell it from what killed processes have left.

    A process that is forked inside the block may use it, and does not remove it.

    Args:
        parent: where to make it; None for the usual place of temporary files.

    Raises:
        OSError: it cannot be made.
    """
    place = Path(tempfile.gettempdir() if parent is None else parent)
    remove_abandoned(place)
    folder, lock = _locked_folder(place)
    owner = os.getpid()
    try:
        yield folder
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def remove_abandoned(place: Path) -> None:
    """Remove the user's own scratch folders in a place whose processes have ended."""
    if sys.platform == "win32":  # which has no such locks
        return
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _open(folder)
            try:
                if os.fstat(lock).st_uid == os.getuid() and try_lock(lock):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _locked_folder(place: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        if sys.platform == "win32":
            return folder, os.open(os.devnull, os.O_RDONLY)
        with suppress(FileNotFoundError):
            lock = _open(folder)
            # Another process may have taken the folder for abandoned before it was locked.
            if _is_locked(lock) and folder.exists():
                return folder, lock
            os.close(lock)


def _is_locked(lock: int) -> bool:
    """Whether the lock was taken; a file system without locks counts as one where nobody else takes it."""
    try:
        return try_lock(lock)
    except OSError:
        return True


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

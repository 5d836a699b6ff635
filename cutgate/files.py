"""Files that appear whole or not at all, and locks on what is open."""

import errno
import glob
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cutgate.errors import OutputFull

if sys.platform != "win32":
    import fcntl

PRIVATE: Final = 0o600
"""Mode of a file that only its owner reads."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write under a temporary name beside `path`, then rename, so that nobody sees a part of it.

    Args:
        path: the file to make or replace.
        content: all of it.
        mode: permissions, from which the process's umask is taken.

    Raises:
        OSError: the folder is missing, full or not writable; `path` is as it was.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # nobody has asked for the other
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def raising_output_full(target: Path) -> Iterator[None]:
    """Raise OutputFull, which names what is written in the block, where there is no room for it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputFull(target, error.strerror or "") from None


def remove_parts(path: Path) -> None:
    """Remove what a process left that was killed while it wrote the file."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.part"):
        part.unlink(missing_ok=True)


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file or folder as long as it is open; False when another process has it.

    Windows has no such locks: whoever asks has it.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def share_lock(descriptor: int) -> None:
    """Wait for the lock, or give it up, to share it with others that do."""
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_SH)

"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Mode of a file that only its owner reads."""


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
    except BaseException:
        part.unlink(missing_ok=True)
        raise

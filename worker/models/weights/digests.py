"""Digests of large files, each computed once and remembered until its file changes."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from cutgate.files import write_whole

FOLDER: Final = "digests"
"""Where the cache folder keeps the records, one file each."""


def digest_of(path: Path, algorithm: str = "sha256", *, cache_dir: Path | None = None) -> str:
    """The digest of a file, in hexadecimal.

    A record holds for the file's size, inode and times of change. Whoever can forge one can replace the prepared
    graphs beside it, too. What changes a disk's bytes behind the system's back is seen by `models verify` alone.
    Without a `cache_dir` the file is read in any case.
    """
    if cache_dir is None:
        return _computed(path, algorithm)
    state = _state(path)
    record = cache_dir / FOLDER / hashlib.sha256(f"{algorithm}:{path.absolute()}".encode()).hexdigest()[:32]
    with suppress(OSError, ValueError, LookupError, TypeError):
        kept = json.loads(record.read_bytes())
        if kept["state"] == state:
            return str(kept["digest"])
    digest = _computed(path, algorithm)
    if _state(path) == state:  # nobody wrote to it meanwhile
        with suppress(OSError):  # a folder that cannot be written costs the time, and nothing else
            record.parent.mkdir(parents=True, exist_ok=True)
            write_whole(record, json.dumps({"path": str(path), "state": state, "digest": digest}).encode())
    return digest


def _state(path: Path) -> list[int]:
    """What changes whenever a file does."""
    facts = path.stat()
    return [facts.st_size, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns]


def _computed(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        # MD5 is what some publishers give; it guards against damage, not against an attacker.
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()

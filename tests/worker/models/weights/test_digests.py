"""Digests that are remembered until their file changes."""

import hashlib
import os
from pathlib import Path

import pytest

from cutgate.worker.models.weights import digests
from cutgate.worker.models.weights.digests import FOLDER, digest_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"whole")
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read through."""
    seen: list[Path] = []
    computed = digests._computed

    def compute(path: Path, algorithm: str) -> str:
        seen.append(path)
        return computed(path, algorithm)

    monkeypatch.setattr(digests, "_computed", compute)
    return seen


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once(file: Path, tmp_path: Path, read: list[Path]) -> None:
    for _ in range(3):
        assert digest_of(file, cache_dir=tmp_path / "cache") == sha256(b"whole")
    assert read == [file]
    assert digest_of(file, "md5", cache_dir=tmp_path / "cache") == hashlib.md5(b"whole").hexdigest()
    assert digest_of(file) == sha256(b"whole")
    assert read == [file] * 3


def test_a_file_that_changed_is_read_again(file: Path, tmp_path: Path) -> None:
    cache, before = tmp_path / "cache", file.stat()
    digest_of(file, cache_dir=cache)
    file.write_bytes(b"hole!")  # of the same size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest_of(file, cache_dir=cache) == sha256(b"hole!")
    other = tmp_path / "other"
    other.write_bytes(b"other")
    other.replace(file)
    assert digest_of(file, cache_dir=cache) == sha256(b"other")


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"7", b'{"state": 1}'], ids=repr)
def test_a_damaged_record_does_no_harm(file: Path, tmp_path: Path, record: bytes) -> None:
    cache = tmp_path / "cache"
    digest_of(file, cache_dir=cache)
    (kept,) = (cache / FOLDER).iterdir()
    kept.write_bytes(record)
    assert digest_of(file, cache_dir=cache) == sha256(b"whole")


def test_a_cache_that_cannot_be_written_does_no_harm(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert digest_of(file, cache_dir=tmp_path / "cache") == sha256(b"whole")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "none", cache_dir=tmp_path / "cache")

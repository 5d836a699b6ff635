"""What only the file store has: folders, modes, and a disk that fails."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutgate.jobs.blobs.file import TEMPORARY_PREFIX, FileBlobStore
from cutgate.jobs.errors import BlobMissing, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, new_task_uid, source_key


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "made" / "blobs"


@pytest.fixture
def blobs(root: Path) -> FileBlobStore:
    return FileBlobStore(root)


@pytest.fixture
def key() -> BlobKey:
    return source_key(new_task_uid(), 3)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow past 64 KiB: the write fails half way, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def files_under(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


def test_the_path_is_the_key(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    assert [path for path in files_under(root) if path.is_file()] == [root / str(key)]


def test_only_the_services_user_can_read(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files_under(root) if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / str(key)).stat().st_mode) == 0o600


def test_the_last_delete_removes_the_folders(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    other = source_key(key.task, 4)
    blobs.put(key, b"data")
    blobs.put(other, b"data")
    blobs.delete(key)
    assert files_under(root) == [root / key.task, root / key.task / "4", root / str(other)]
    blobs.delete(other)
    assert files_under(root) == []
    assert root.is_dir()


def test_a_full_disk_leaves_nothing_behind(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    with full_disk(), pytest.raises(BlobStoreUnavailable) as error:
        blobs.put(key, bytes(1_000_000))
    assert files_under(root) == []
    assert str(root) not in str(error.value)
    blobs.put(key, b"small")
    with full_disk(), pytest.raises(BlobStoreUnavailable):
        blobs.put(key, bytes(1_000_000))
    assert blobs.get(key) == b"small"


def test_where_a_link_is_not_to_be_had_the_bytes_are_copied(
    blobs: FileBlobStore, root: Path, key: BlobKey
) -> None:
    copy, data = source_key(new_task_uid(), 0), os.urandom(3_000_000)
    blobs.put(copy, b"in the way")
    blobs.put(key, data)
    blobs.copy(key, copy)
    assert blobs.get(copy) == data
    assert not (root / str(copy)).samefile(root / str(key))


def test_a_copy_takes_no_room_and_leaves_nothing_else(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    copy = source_key(new_task_uid(), 0)
    blobs.put(key, b"data")
    blobs.copy(key, copy)
    assert (root / str(copy)).samefile(root / str(key))
    blobs.copy(key, copy)
    assert {path for path in files_under(root) if path.is_file()} == {root / str(key), root / str(copy)}


def test_a_copy_on_a_full_disk_leaves_nothing_behind(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    copy = source_key(new_task_uid(), 0)
    blobs.put(copy, b"in the way")
    blobs.put(key, bytes(1_000_000))
    with full_disk(), pytest.raises(BlobStoreUnavailable):
        blobs.copy(key, copy)
    assert blobs.get(copy) == b"in the way"
    assert {path for path in files_under(root) if path.is_file()} == {root / str(key), root / str(copy)}


def test_a_file_in_the_way(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    (root / key.task).write_text("not a folder")
    for call in (blobs.get, blobs.open, blobs.delete, lambda key: blobs.put(key, b"data")):
        with pytest.raises(BlobStoreUnavailable):
            call(key)
    blobs.check()


def test_a_folder_in_the_way_of_the_root(root: Path) -> None:
    root.parent.mkdir()
    root.write_text("not a folder")
    with pytest.raises(BlobStoreUnavailable):
        FileBlobStore(root)


def test_a_root_that_went_away(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    """An unmounted volume is no proof that a blob is gone."""
    root.rmdir()
    calls = (blobs.get, blobs.open, lambda key: blobs.put(key, b"data"), lambda _: blobs.check())
    for call in (*calls, lambda _: list(blobs.tasks()), lambda _: blobs.delete_unfinished(0)):
        with pytest.raises(BlobStoreUnavailable):
            call(key)
    assert not root.exists()


def test_check_leaves_nothing(blobs: FileBlobStore, root: Path) -> None:
    blobs.check()
    assert files_under(root) == []


def test_two_stores_of_one_folder_share_blobs(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    assert FileBlobStore(root).get(key) == b"data"
    with pytest.raises(BlobMissing):
        FileBlobStore(root).get(source_key(key.task, key.index))


def test_what_a_dead_writer_left_goes_after_its_time(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    empty = root / new_task_uid() / "0"
    empty.mkdir(parents=True)
    half = [root / f"{TEMPORARY_PREFIX}probe", root / key.task / "3" / f"{TEMPORARY_PREFIX}half"]
    left = [*half, empty, empty.parent]
    for path in half:
        path.write_bytes(b"half")
    blobs.delete_unfinished(older_than_seconds=60)
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (0, 0))
    blobs.delete_unfinished(older_than_seconds=60)
    assert not any(path.exists() for path in left[:3])
    # The folder above changed with its contents, and so waits for its own time.
    os.utime(empty.parent, (0, 0))
    blobs.delete_unfinished(older_than_seconds=60)
    assert files_under(root) == [root / key.task, root / key.task / "3", root / str(key)]


def test_what_a_dead_writer_left_goes_with_its_task(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    (root / key.task / "3" / f"{TEMPORARY_PREFIX}half").write_bytes(b"half")
    blobs.delete_task(key.task)
    assert files_under(root) == []


def test_what_else_lies_on_the_volume_is_left_alone(blobs: FileBlobStore, root: Path) -> None:
    (root / "lost+found").mkdir()
    (root / "README").write_text("by hand")
    os.utime(root / "lost+found", (0, 0))
    assert list(blobs.tasks()) == []
    blobs.delete_unfinished(older_than_seconds=60)
    assert [path.name for path in files_under(root)] == ["README", "lost+found"]

"""What only the file store has: folders, modes, and a disk that fails."""

import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutgate.jobs.blobs.file import TEMPORARY_PREFIX, FileBlobStore
from cutgate.jobs.errors import BlobMissing, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, new_task_uid, parse_task_uid, source_key


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
    return sorted(path for path in root.rglob("*") if not path.is_dir())


def path_of(root: Path, key: BlobKey) -> Path:
    return root / key.task[4:6] / f"{key.task}-{key.index}-{key.role}-{key.token}"


def neighbour_of(key: BlobKey) -> BlobKey:
    """Another task's blob in the same folder."""
    turned = key.task[:-2] + ("a" if key.task[-2] != "a" else "b") + key.task[-1]
    return source_key(parse_task_uid(turned), 0)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is waited for until it is on the disk, in order."""
    seen: list[Path] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        seen.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", noted)
    return seen


def test_a_blob_waits_for_the_disk_twice_and_is_not_renamed(
    blobs: FileBlobStore, root: Path, key: BlobKey, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put(neighbour_of(key), b"makes the folder")
    del synced[:]
    for name in ("mkdir", "rename", "replace", "link", "unlink"):
        monkeypatch.delattr(os, name)
    blobs.put(key, b"data")
    assert synced == [path_of(root, key), path_of(root, key).parent]
    assert blobs.get(key) == b"data"


def test_a_folders_name_is_on_the_disk_before_a_blob_counts(
    blobs: FileBlobStore, root: Path, key: BlobKey, synced: list[Path]
) -> None:
    """Also where another process has made it, which may be stopped before it has waited for that."""
    for store in (blobs, FileBlobStore(root)):
        del synced[:]
        store.put(source_key(key.task, 0), b"data")
        assert synced[0] == root


def test_folders_stay(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    blobs.delete_task(key.task)
    blobs.delete_unfinished(-60)
    assert list(root.iterdir()) == [path_of(root, key).parent]


def test_nothing_is_held_open(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    """What is held open cannot be unmounted."""
    blobs.put(key, b"data")
    blobs.copy(key, source_key(key.task, 0))
    list(blobs.tasks())
    held = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert [path for path in held if path.is_relative_to(root)] == []


@pytest.mark.parametrize("lose", [shutil.rmtree, lambda root: root.rename(root.with_name("elsewhere"))])
def test_a_storage_that_is_empty_all_at_once_is_used_as_it_is(
    blobs: FileBlobStore, root: Path, key: BlobKey, lose: Callable[[Path], object], synced: list[Path]
) -> None:
    """It was emptied, or another volume was mounted, while the process ran."""
    blobs.put(key, b"data")
    lose(root)
    root.mkdir(mode=0o700)
    del synced[:]
    with pytest.raises(BlobMissing):
        blobs.get(key)
    blobs.put(key, b"new")
    assert blobs.get(key) == b"new"
    assert synced == [root, path_of(root, key), path_of(root, key).parent]
    assert files_under(root.parent) == sorted(files_under(root) + files_under(root.with_name("elsewhere")))


def test_only_the_services_user_can_read(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, *root.iterdir())} == {0o700}
    assert stat.S_IMODE(path_of(root, key).stat().st_mode) == 0o600


def test_a_full_disk_leaves_nothing_behind(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    with full_disk(), pytest.raises(BlobStoreUnavailable) as error:
        blobs.put(key, bytes(1_000_000))
    assert files_under(root) == []
    assert str(root) not in str(error.value)
    blobs.put(key, b"small")
    with full_disk(), pytest.raises(BlobStoreUnavailable):
        blobs.put(key, bytes(1_000_000))
    assert blobs.get(key) == b"small"
    assert files_under(root) == [path_of(root, key)]


@pytest.mark.parametrize(
    ("call", "fails"),
    [("put", stat.S_ISREG), ("put", stat.S_ISDIR), ("copy", stat.S_ISDIR)],
    ids=["file", "folder", "folder of a copy"],
)
def test_a_disk_that_fails_leaves_nothing_behind(
    blobs: FileBlobStore,
    root: Path,
    key: BlobKey,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    fails: Callable[[int], bool],
) -> None:
    other = neighbour_of(key)
    blobs.put(other, b"data")
    calls: dict[str, Callable[[], None]] = {
        "put": lambda: blobs.put(key, b"data"),
        "copy": lambda: blobs.copy(other, key),
    }
    write = calls[call]

    def sync(descriptor: int) -> None:
        if fails(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        with pytest.raises(BlobStoreUnavailable):
            write()
    assert files_under(root) == [path_of(root, other)]
    write()
    assert blobs.get(key) == b"data"


def test_a_write_that_takes_a_part_goes_on(
    blobs: FileBlobStore, key: BlobKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, write = os.urandom(100_000), os.write
    monkeypatch.setattr(os, "write", lambda file, rest: write(file, rest[:30_000]))
    blobs.put(key, data)
    assert blobs.get(key) == data


def test_what_a_failed_call_left_is_replaced(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    """A worker goes on asking until its result is stored."""
    blobs.put(neighbour_of(key), b"makes the folder")
    path_of(root, key).write_bytes(b"ha")
    blobs.put(key, b"whole")
    assert blobs.get(key) == b"whole"
    assert len(files_under(root)) == 2


def test_what_a_killed_process_left_goes_with_its_task(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    """Killed by the signal that a file beyond the limit brings, half way through a write."""
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from cutgate.jobs.blobs.file import FileBlobStore
        from cutgate.jobs.ids import BlobKey
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
        FileBlobStore(Path(sys.argv[1])).put(BlobKey.parse(sys.argv[2]), bytes(1_000_000))
    """
    done = subprocess.run([sys.executable, "-c", program, root, str(key)], check=False)
    assert done.returncode == -signal.SIGXFSZ
    assert [path.stat().st_size for path in files_under(root)] == [65_536]
    assert list(blobs.tasks()) == [key.task]
    blobs.delete_task(key.task)
    assert files_under(root) == []


def test_where_a_link_is_not_to_be_had_the_bytes_are_copied(
    blobs: FileBlobStore, root: Path, key: BlobKey
) -> None:
    copy, data = source_key(new_task_uid(), 0), os.urandom(3_000_000)
    blobs.put(copy, b"in the way")
    blobs.put(key, data)
    blobs.copy(key, copy)
    assert blobs.get(copy) == data
    assert not path_of(root, copy).samefile(path_of(root, key))


def test_a_copy_takes_no_room_and_leaves_nothing_else(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    copy = source_key(new_task_uid(), 0)
    blobs.put(key, b"data")
    blobs.copy(key, copy)
    assert path_of(root, copy).samefile(path_of(root, key))
    blobs.copy(key, copy)
    assert set(files_under(root)) == {path_of(root, key), path_of(root, copy)}


def test_a_copy_on_a_full_disk_leaves_nothing_behind(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    copy = source_key(new_task_uid(), 0)
    blobs.put(copy, b"in the way")
    blobs.put(key, bytes(1_000_000))
    with full_disk(), pytest.raises(BlobStoreUnavailable):
        blobs.copy(key, copy)
    assert blobs.get(copy) == b"in the way"
    assert set(files_under(root)) == {path_of(root, key), path_of(root, copy)}


def test_a_file_in_the_way(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    path_of(root, key).parent.write_text("not a folder")
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


def test_what_a_dead_writer_left_goes_after_its_time(blobs: FileBlobStore, root: Path, key: BlobKey) -> None:
    blobs.put(key, b"data")
    left = [folder / f"{TEMPORARY_PREFIX}half" for folder in (root, path_of(root, key).parent)]
    for path in left:
        path.write_bytes(b"half")
    blobs.delete_unfinished(older_than_seconds=60)
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (0, 0))
    blobs.delete_unfinished(older_than_seconds=60)
    assert files_under(root) == [path_of(root, key)]


def test_what_else_lies_on_the_volume_is_left_alone(blobs: FileBlobStore, root: Path) -> None:
    (root / "lost+found").mkdir()
    for name in (f"{TEMPORARY_PREFIX}of-others", path_of(root, source_key(new_task_uid(), 0)).name):
        (root / "lost+found" / name).write_text("found by a check of the disk")
        os.utime(root / "lost+found" / name, (0, 0))
    (root / "README").write_text("by hand")
    (root / "ab").mkdir()
    (root / "ab" / "notes-of-mine").write_text("by hand")
    (root / "cd").write_text("by hand")
    there = set(root.rglob("*"))
    assert list(blobs.tasks()) == []
    blobs.delete_unfinished(older_than_seconds=60)
    assert set(root.rglob("*")) == there

"""Blobs."""

import os

import pytest

from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import BlobKey, new_task_uid, new_token, result_key, source_key
from cutgate.jobs.ports import BlobStore
from tests.jobs.build import run_at_once


@pytest.fixture
def key() -> BlobKey:
    return source_key(new_task_uid(), 0)


@pytest.mark.parametrize("data", [b"", b"a", os.urandom(3_000_000)], ids=["empty", "byte", "large"])
def test_what_was_put_is_got(blobs: BlobStore, key: BlobKey, data: bytes) -> None:
    blobs.put(key, data)
    assert blobs.get(key) == data
    with blobs.open(key) as file:
        assert file.read() == data


def test_a_missing_blob(blobs: BlobStore, key: BlobKey) -> None:
    with pytest.raises(BlobMissing):
        blobs.get(key)
    with pytest.raises(BlobMissing):
        blobs.open(key)
    blobs.put(source_key(key.task, 0), b"another token")
    with pytest.raises(BlobMissing):
        blobs.get(key)


def test_putting_again_replaces(blobs: BlobStore, key: BlobKey) -> None:
    blobs.put(key, b"first, longer")
    with blobs.open(key) as reader:
        blobs.put(key, b"second")
        assert reader.read() == b"first, longer"
    assert blobs.get(key) == b"second"


def test_a_copy_is_a_blob_of_its_own(blobs: BlobStore, key: BlobKey) -> None:
    copy, other = source_key(new_task_uid(), 5), source_key(new_task_uid(), 0)
    blobs.put(key, b"data")
    blobs.copy(key, copy)
    blobs.copy(copy, other)
    assert blobs.get(copy) == b"data"
    blobs.put(key, b"replaced")
    assert blobs.get(copy) == b"data"
    blobs.delete_task(key.task)
    blobs.delete(copy)
    assert blobs.get(other) == b"data"
    assert list(blobs.tasks()) == [other.task]


def test_copying_again_replaces(blobs: BlobStore, key: BlobKey) -> None:
    copy, other = source_key(new_task_uid(), 0), source_key(key.task, 0)
    blobs.put(key, b"first")
    blobs.put(other, b"second")
    for source, data in ((key, b"first"), (key, b"first"), (other, b"second")):
        blobs.copy(source, copy)
        assert blobs.get(copy) == data
    assert blobs.get(key) == b"first"


def test_a_missing_blob_is_not_copied(blobs: BlobStore, key: BlobKey) -> None:
    with pytest.raises(BlobMissing):
        blobs.copy(key, source_key(new_task_uid(), 0))
    assert list(blobs.tasks()) == []


def test_delete(blobs: BlobStore, key: BlobKey) -> None:
    other = source_key(key.task, 0)
    blobs.put(key, b"data")
    blobs.put(other, b"other")
    blobs.delete(key)
    blobs.delete(key)
    with pytest.raises(BlobMissing):
        blobs.get(key)
    assert blobs.get(other) == b"other"
    blobs.delete(other)
    blobs.put(key, b"back")
    assert blobs.get(key) == b"back"


def test_puts_and_deletes_of_one_task_at_once(blobs: BlobStore) -> None:
    """A delete that empties a folder must not take a blob along that is being put there."""
    task = new_task_uid()

    def put_and_delete(number: int) -> None:
        for _ in range(10):
            key = source_key(task, number % 2)
            blobs.put(key, b"data")
            assert blobs.get(key) == b"data"
            blobs.delete(key)

    run_at_once(6, put_and_delete)


def test_a_task_is_deleted_whole_and_alone(blobs: BlobStore) -> None:
    gone, kept = new_task_uid(), source_key(new_task_uid(), 0)
    keys = [source_key(gone, 0), source_key(gone, 11), result_key(gone, 0, new_token())]
    for key in [*keys, kept]:
        blobs.put(key, b"data")
    blobs.delete_task(gone)
    blobs.delete_task(gone)
    for key in keys:
        with pytest.raises(BlobMissing):
            blobs.get(key)
    assert list(blobs.tasks()) == [kept.task]
    blobs.put(keys[0], b"back")
    assert blobs.get(keys[0]) == b"back"


def test_a_task_is_deleted_in_several_places_at_once(blobs: BlobStore) -> None:
    task = new_task_uid()
    for index in range(40):
        blobs.put(source_key(task, index), b"data")
    run_at_once(6, lambda _: blobs.delete_task(task))
    assert list(blobs.tasks()) == []


def test_whole_blobs_are_not_unfinished(blobs: BlobStore, key: BlobKey) -> None:
    blobs.put(key, b"data")
    blobs.delete_unfinished(older_than_seconds=-60)
    assert blobs.get(key) == b"data"

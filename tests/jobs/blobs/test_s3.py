"""What only the S3 store has: a bucket shared with others, requests that fail, and an end to patience."""

import itertools
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from cutgate.jobs.blobs.s3_client import connect
from cutgate.jobs.blobs.s3_store import PROBE, S3BlobStore
from cutgate.jobs.errors import BlobMissing, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, new_task_uid, new_token, result_key, source_key
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.settings import BlobSettings
from tests.servers.ports import free_port
from tests.servers.relay import Relay, relay_to
from tests.servers.s3_server import Bucket, elsewhere

DATA = os.urandom(300_000)
SECONDS = 6
"""How soon a caller must be told that the server is away: three attempts and their pauses take two seconds, the
library's own time-outs would take minutes."""
Call = Callable[[BlobStore, BlobKey], object]
CALLS: dict[str, Call] = {
    "put": lambda blobs, key: blobs.put(key, DATA),
    "get": lambda blobs, key: blobs.get(key),
    "open": lambda blobs, key: blobs.open(key),
    "delete": lambda blobs, key: blobs.delete(key),
    "tasks": lambda blobs, key: list(blobs.tasks()),
    "delete_task": lambda blobs, key: blobs.delete_task(key.task),
    "check": lambda blobs, key: blobs.check(),
}
PUT_AND_TASKS = [CALLS["put"], CALLS["tasks"]]
"""One that sends and one that reads several answers; all go through the same retries."""


@pytest.fixture
def key() -> BlobKey:
    return source_key(new_task_uid(), 0)


@pytest.fixture
def blobs(bucket: Bucket) -> BlobStore:
    return S3BlobStore(bucket.settings)


@pytest.fixture
def relay(bucket: Bucket) -> Iterator[Relay]:
    with relay_to(bucket.settings.s3_endpoint_url) as relay:
        yield relay


@pytest.fixture
def relayed(bucket: Bucket, relay: Relay) -> BlobStore:
    return S3BlobStore(elsewhere(bucket.settings, relay.url))


@pytest.fixture
def patient(bucket: Bucket, relay: Relay) -> BlobStore:
    """One that tries again however slow this machine is."""
    return S3BlobStore(bucket.settings.model_copy(update={"s3_endpoint_url": relay.url}), retry_within_seconds=60)


def at_port(settings: BlobSettings, port: int) -> BlobSettings:
    return elsewhere(settings, f"http://127.0.0.1:{port}")


def assert_given_up_soon(blobs: BlobStore, key: BlobKey, call: Call) -> None:
    began = time.monotonic()
    with pytest.raises(BlobStoreUnavailable) as error:
        call(blobs, key)
    assert time.monotonic() - began < SECONDS
    assert "127.0.0.1" not in str(error.value)


def test_the_name_is_the_key(blobs: BlobStore, bucket: Bucket, key: BlobKey) -> None:
    blobs.put(key, DATA)
    assert bucket.names() == [str(key)]


def test_stores_under_different_prefixes_share_a_bucket(bucket: Bucket, key: BlobKey) -> None:
    one, other = (
        S3BlobStore(bucket.settings.model_copy(update={"s3_prefix": prefix})) for prefix in ("a/b", "a/c")
    )
    one.put(key, b"one")
    other.put(key, b"other")
    assert bucket.names() == [f"a/b/{key}", f"a/c/{key}"]
    assert list(one.tasks()) == [key.task]
    one.delete_task(key.task)
    assert other.get(key) == b"other"
    assert bucket.names() == [f"a/c/{key}"]


def test_what_others_keep_in_the_bucket_is_left_alone(blobs: BlobStore, bucket: Bucket, key: BlobKey) -> None:
    for name in ("readme.txt", "photos/cat.jpg", f"{key.task}x/0/source-12345678"):
        bucket.client.put_object(Bucket=bucket.name, Key=name, Body=b"")
    before = bucket.names()
    blobs.put(key, b"data")
    assert list(blobs.tasks()) == [key.task]
    blobs.delete_task(key.task)
    assert bucket.names() == before


def test_check_leaves_one_empty_object(blobs: BlobStore, bucket: Bucket) -> None:
    blobs.check()
    blobs.check()
    assert bucket.names() == [PROBE]
    assert list(blobs.tasks()) == []


def test_more_objects_than_one_page_lists(bucket: Bucket) -> None:
    store, task, other = S3BlobStore(bucket.settings), new_task_uid(), new_task_uid()
    keys = [result_key(task, number % 7, new_token()) for number in range(7)] + [source_key(other, 0)]
    for key in keys:
        store.put(key, b"")
    small_pages = "provide-client-params.s3.ListObjectsV2"
    store._client.meta.events.register(small_pages, lambda params, **_: params | {"MaxKeys": 3})
    store.delete_task(task)
    assert bucket.names() == [str(keys[-1])]


def test_a_deletion_carries_the_checksum_that_old_servers_ask_for(bucket: Bucket) -> None:
    client = connect(bucket.settings)
    sent: list[str] = []
    client.meta.events.register(
        "before-send.s3.DeleteObjects", lambda request, **_: sent.append(request.headers["Content-MD5"])
    )
    client.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    client.close()
    assert len(sent) == 1


@pytest.mark.parametrize("call", PUT_AND_TASKS, ids=["put", "tasks"])
def test_a_bucket_that_went_away_or_a_silent_server_is_no_proof_that_a_blob_is_gone(
    relayed: BlobStore, relay: Relay, bucket: Bucket, key: BlobKey, call: Call
) -> None:
    bucket.remove()
    assert_given_up_soon(relayed, key, call)
    bucket.make()
    relay.silent.set()
    assert_given_up_soon(relayed, key, call)
    relay.silent.clear()
    relayed.put(key, DATA)
    assert relayed.get(key) == DATA


def test_a_server_that_is_not_there(bucket: Bucket, key: BlobKey) -> None:
    store = S3BlobStore(at_port(bucket.settings, free_port()))
    with ThreadPoolExecutor(len(CALLS)) as pool:
        list(pool.map(partial(assert_given_up_soon, store, key), CALLS.values()))


def test_an_address_that_nobody_answers(bucket: Bucket, key: BlobKey) -> None:
    """Connecting itself takes for ever: the queue of new connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(server.getsockname())
        store = S3BlobStore(at_port(bucket.settings, server.getsockname()[1]))
        assert_given_up_soon(store, key, CALLS["put"])
        for connection in waiting:
            connection.close()


def test_a_server_that_reads_nothing(bucket: Bucket, key: BlobKey) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        store = S3BlobStore(at_port(bucket.settings, server.getsockname()[1]))
        assert_given_up_soon(store, key, lambda blobs, key: blobs.put(key, bytes(32 * 2**20)))


@pytest.mark.parametrize(
    ("hang_ups", "call"),
    [
        ([0, 5], lambda blobs, key: blobs.put(key, DATA)),
        ([0, 5], lambda blobs, key: list(blobs.tasks()) == [key.task]),
        ([20, 40], lambda blobs, key: blobs.get(key) == DATA),
        ([20, 40], lambda blobs, key: blobs.open(key).read() == DATA),
        ([20, 40], lambda blobs, key: list(blobs.tasks()) == [key.task]),
        ([100_000, 200_000], lambda blobs, key: blobs.get(key) == DATA),
        ([100_000, 120_000], lambda blobs, key: blobs.open(key).read() == DATA),
    ],
    ids=itertools.count(),
)
def test_an_exchange_that_breaks_off_is_made_again_and_a_reader_goes_on(
    patient: BlobStore, relay: Relay, bucket: Bucket, key: BlobKey, hang_ups: list[int], call: Call
) -> None:
    """Before the answer, within its header, and within its body."""
    bucket.client.put_object(Bucket=bucket.name, Key=str(key), Body=DATA)
    relay.hang_ups[:] = hang_ups
    assert call(patient, key) in {True, None}
    assert relay.hang_ups == []


def test_an_answer_that_is_always_truncated(
    patient: BlobStore, relay: Relay, bucket: Bucket, key: BlobKey
) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=str(key), Body=DATA)
    relay.hang_ups[:] = [100_000] * 3
    with pytest.raises(BlobStoreUnavailable):
        patient.get(key)


def test_a_reader_that_seeks(blobs: BlobStore, key: BlobKey) -> None:
    blobs.put(key, DATA)
    with blobs.open(key) as file:
        places = [(200_000, 1_000), (0, 10), (299_999, 5), (300_000, 5), (400_000, 5), (150_000, 150_000)]
        for offset, size in places:
            file.seek(offset)
            assert file.read(size) == DATA[offset : offset + size]
        assert file.seek(-7, os.SEEK_END) == len(DATA) - 7
        assert file.read() == DATA[-7:]
        with pytest.raises(ValueError, match="before the beginning"):
            file.seek(-1)


def test_a_reader_never_mixes_two_objects(blobs: BlobStore, key: BlobKey) -> None:
    blobs.put(key, DATA)
    with blobs.open(key) as file:
        blobs.put(key, os.urandom(len(DATA)))
        file.seek(200_000)
        with pytest.raises(BlobStoreUnavailable, match="PreconditionFailed"):
            file.read()
        blobs.delete(key)
        with pytest.raises(BlobMissing):
            file.read()

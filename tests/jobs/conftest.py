"""One fixture for each protocol, over all of its implementations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.ledger.presence import Presence
from cutgate.jobs.ledger.redis.ledger import RedisLedger, RedisPresence, connect
from cutgate.jobs.ledger.store import LedgerLimits, LedgerStore
from cutgate.jobs.testing import ManualClock, MemoryBlobStore, MemoryLedger, MemoryPresence
from tests.jobs.build import LIMITS, MakeLedger
from tests.needs import MINIO_VARIABLE
from tests.servers.s3_server import Bucket, new_bucket, operators_client, s3_settings


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def make_memory_ledger(clock: ManualClock) -> MakeLedger:
    def make(limits: LedgerLimits = LIMITS) -> LedgerStore:
        return MemoryLedger(limits, clock)

    return make


@pytest.fixture
def make_redis_ledger(client: Redis, key_prefix: str, clock: ManualClock) -> MakeLedger:
    def make(limits: LedgerLimits = LIMITS) -> LedgerStore:
        return RedisLedger(client, limits, key_prefix=key_prefix, clock_offset_ms=clock.offset_ms)

    return make


@pytest.fixture(params=["memory", "redis"])
def make_ledger(request: pytest.FixtureRequest) -> MakeLedger:
    return cast("MakeLedger", request.getfixturevalue(f"make_{request.param}_ledger"))


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> LedgerStore:
    return make_ledger()


@pytest.fixture
def memory_presence(clock: ManualClock) -> Presence:
    return MemoryPresence(clock)


@pytest.fixture
def redis_presence(client: Redis, key_prefix: str, clock: ManualClock) -> Presence:
    return RedisPresence(client, key_prefix=key_prefix, clock_offset_ms=clock.offset_ms)


@pytest.fixture(params=["memory", "redis"])
def presence(request: pytest.FixtureRequest) -> Presence:
    return cast("Presence", request.getfixturevalue(f"{request.param}_presence"))


@pytest.fixture
def memory_blobs() -> BlobStore:
    return MemoryBlobStore()


@pytest.fixture
def file_blobs(tmp_path: Path) -> BlobStore:
    return FileBlobStore(tmp_path / "blobs")


@pytest.fixture
def s3_blobs(bucket: Bucket) -> BlobStore:
    return open_blob_store(bucket.settings)


@pytest.fixture
def minio_blobs() -> Iterator[BlobStore]:
    settings = s3_settings(os.environ[MINIO_VARIABLE])
    with operators_client(settings) as client, new_bucket(client, settings) as bucket:
        yield open_blob_store(bucket.settings)


@pytest.fixture(params=["memory", "file", "s3", pytest.param("minio", marks=pytest.mark.needs("minio"))])
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    return cast("BlobStore", request.getfixturevalue(f"{request.param}_blobs"))

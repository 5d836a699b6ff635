"""One fixture for each protocol, over all of its implementations."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import BlobStore, Presence
from cutgate.jobs.settings import JobSettings
from tests.fakes import ManualClock, MemoryBlobStore
from tests.jobs.build import LIMITS, Ledger
from tests.ledgers import server
from tests.needs import MINIO_VARIABLE
from tests.servers.s3_server import Bucket, new_bucket, operators_client, s3_settings


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def client() -> Redis:
    return server()


@pytest.fixture
def limits() -> LedgerLimits:
    """The ledger's; a module that needs others has a fixture of this name."""
    return LIMITS


@pytest.fixture
def ledger(client: Redis, limits: LedgerLimits, key_prefix: str, clock: ManualClock) -> Ledger:
    return Ledger(client, limits, key_prefix=key_prefix, clock=clock)


@pytest.fixture
def presence(ledger: Ledger) -> Presence:
    return ledger.presence


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of ours, whatever the environment has."""
    for name in ("SECRETS_DIR", *(field.upper() for field in JobSettings.model_fields)):
        monkeypatch.delenv(f"CUTGATE_{name}", raising=False)


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

"""Tests of submits while the blob store does not work: refused soon, nothing half done, well again by itself."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from cutgate.gateway.serving import health
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ports import BlobStore
from tests.gateway import picture_files as pictures
from tests.gateway.harness import Harness, make_settings
from tests.servers.small_disk import small_disk

SECONDS = 2.5
PICTURE = base64.b64encode(pictures.bmp(300, 300)).decode("ascii")
"""More than is left on the full disk, so that the write fails half way."""
LEFT_BYTES = 2**16
SMALL_DISKS = make_settings(least_free_bytes=2 * LEFT_BYTES)


@dataclass(frozen=True)
class Fault:
    """A store, and how its storage stops and begins to work."""

    blobs: BlobStore
    begin: Callable[[], object]
    end: Callable[[], object]
    names: Callable[[], list[str]]
    """What lies in the storage, once it works."""


def names_under(root: Path) -> Callable[[], list[str]]:
    return lambda: sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Fault]:
    with small_disk(tmp_path) as disk:
        root = disk.root / "blobs"
        yield Fault(FileBlobStore(root), lambda: disk.fill(leave_bytes=LEFT_BYTES), disk.empty, names_under(root))


@pytest.fixture
def vanished_folder(tmp_path: Path) -> Fault:
    root, elsewhere = tmp_path / "blobs", tmp_path / "elsewhere"
    blobs = FileBlobStore(root)
    return Fault(blobs, lambda: root.rename(elsewhere), lambda: elsewhere.rename(root), names_under(root))


@pytest.fixture(params=["full_disk", "vanished_folder"])
def fault(request: pytest.FixtureRequest) -> Fault:
    return cast("Fault", request.getfixturevalue(request.param))


def store_is_missing(gateway: Harness) -> bool:
    return "blob store" in gateway.readiness()["missing"]


def test_submits_during_a_fault_and_after_it(gateway: Harness, fault: Fault) -> None:
    gateway = replace(gateway, blobs=fault.blobs, settings=SMALL_DISKS)
    gateway.submit()
    names, hints = fault.names(), list(gateway.hints)
    assert len(hints) == 1
    assert not store_is_missing(gateway)

    fault.begin()
    began = time.monotonic()
    response = gateway.open("/", method="POST", json=gateway.signed_picture(PICTURE))
    assert time.monotonic() - began < SECONDS
    assert (response.status_code, response.get_json()["RetCode"]) == (503, 130)
    assert response.headers["Retry-After"] == "2"

    fault.end()
    assert set(fault.names()) <= set(names)
    assert gateway.store.waiting(gateway.lane) == 1
    assert gateway.hints == hints
    assert gateway.open("/", method="POST", json=gateway.signed_picture(PICTURE)).status_code == 200
    assert gateway.store.waiting(gateway.lane) == 2
    assert not store_is_missing(gateway)
    with closing(fault.blobs.open(gateway.finish_one(b"result").blob)) as file:
        assert file.read() == b"result"


@pytest.mark.constants(health, KEEP_SECONDS=0)
def test_a_full_disk_is_named_to_callers_in_the_log_and_by_readiness(gateway: Harness, full_disk: Fault) -> None:
    gateway = replace(gateway, blobs=full_disk.blobs, settings=SMALL_DISKS)
    gateway.offer()
    caller = gateway.client()
    assert caller.get("/readyz").status_code == 200

    full_disk.begin()
    with capture_logs() as lines:
        answer = caller.post("/", json=gateway.signed_picture(PICTURE))
    assert (answer.status_code, answer.get_json()["RetCode"]) == (503, 130)
    assert answer.get_json()["Detail"] == "the disk of the pictures is full"
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["blob_store_full"]
    assert caller.get("/readyz").status_code == 503
    assert gateway.readiness()["missing"] == ["room for pictures"]

    full_disk.end()
    assert caller.get("/readyz").status_code == 200

"""Ledger and storage belong together, or nothing starts and nothing is swept."""

from pathlib import Path

import pytest
from redis import Redis
from structlog.testing import capture_logs

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import source_key
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.upkeep.background import belong_together
from cutgate.jobs.upkeep.installation import Installation, WrongInstallation
from cutgate.jobs.upkeep.retention import FEW, Sweeper
from tests.fakes import MemoryBlobStore
from tests.jobs.build import Ledger, new_task
from tests.ledgers import fresh_prefix


@pytest.fixture
def installed(client: Redis, blobs: BlobStore, key_prefix: str) -> Installation:
    """A ledger and a storage that belong together."""
    installation = Installation(Ledger(client, key_prefix=key_prefix), blobs)
    installation.require()
    return installation


def test_both_get_one_id_and_keep_it(installed: Installation, client: Redis, blobs: BlobStore) -> None:
    stored = blobs.installation()
    assert stored
    installed.require()
    assert blobs.installation() == stored
    assert blobs.install("another") == stored
    assert list(blobs.tasks()) == []


@pytest.mark.usefixtures("installed")
def test_an_empty_ledger_is_not_the_storages(client: Redis, blobs: BlobStore) -> None:
    with pytest.raises(WrongInstallation, match=r"right server and database.*storage adopt"):
        Installation(Ledger(client, key_prefix=fresh_prefix()), blobs).require()


@pytest.mark.usefixtures("installed")
def test_a_folder_that_is_not_mounted_is_not_the_ledgers(client: Redis, tmp_path: Path, key_prefix: str) -> None:
    unmounted = FileBlobStore(tmp_path / "unmounted")
    with pytest.raises(WrongInstallation, match=r"volume mounted.*storage adopt"):
        Installation(Ledger(client, key_prefix=key_prefix), unmounted).require()


@pytest.mark.usefixtures("installed")
def test_two_installations_are_not_mixed(client: Redis, blobs: BlobStore) -> None:
    other = Installation(Ledger(client, key_prefix=fresh_prefix()), MemoryBlobStore())
    other.require()
    ledger = Ledger(client, key_prefix=fresh_prefix())
    assert ledger.server.install("another") == ledger.server.install("third") == "another"
    mixed = Installation(ledger, blobs)
    with pytest.raises(WrongInstallation, match="two installations"):
        mixed.require()
    with capture_logs() as logs:
        assert not belong_together(mixed)
    assert [(line["event"], line["log_level"]) for line in logs] == [("sweep_refused", "error")]
    mixed.adopt()
    mixed.require()


def test_most_of_what_is_stored_is_not_swept_without_an_operators_word(
    ledger: Ledger, memory_blobs: BlobStore
) -> None:
    """As with a ledger that came up empty: its pictures are all orphans."""
    sweeper = Sweeper(ledger, memory_blobs, orphan_grace_seconds=3_600)
    lost = [new_task() for _ in range(FEW + 1)]
    for task in lost:
        memory_blobs.put(source_key(task.uid, 0), b"picture")
    ledger.clock.advance(3_601)
    with capture_logs() as logs:
        assert sweeper.sweep_orphans() == 0
    [said] = logs
    assert (said["event"], said["log_level"], said["records"]) == ("orphans_kept", "error", len(lost))
    assert "storage sweep" in said["remedy"]
    assert len(list(memory_blobs.tasks())) == len(lost)
    assert sweeper.sweep_orphans(however_many=True) == len(lost)
    assert list(memory_blobs.tasks()) == []


def test_orphans_go_where_most_of_what_is_stored_has_its_record(ledger: Ledger, memory_blobs: BlobStore) -> None:
    sweeper = Sweeper(ledger, memory_blobs, orphan_grace_seconds=3_600)
    for number in range(6 * FEW):
        task = new_task()
        if number % 3:
            ledger.tasks.create(task)
        memory_blobs.put(task.items[0].source, b"picture")
    ledger.clock.advance(3_601)
    assert sweeper.sweep_orphans() == 2 * FEW  # more than go in any case

"""Backups are of one moment while the ledger is in use, are checked, and come back whole or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import mask_key, new_token
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.snapshot import Snapshots
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import ItemState, KeptMask
from cutgate.jobs.redis_client import connect
from cutgate.jobs.upkeep.backup import BackupFailed, Backups
from cutgate.jobs.upkeep.installation import Installation
from tests.jobs.build import LANE, LIMITS, Ledger, new_task, new_upload, result_of
from tests.servers.redis_server import redis_server
from tests.servers.s3_server import Bucket


class Place:
    """A ledger and a storage of an installation's own, and what backs them up."""

    def __init__(self, url: str, blobs: BlobStore) -> None:
        self.client, self.blobs, self.said = connect(url), blobs, list[str]()
        self.ledger = Ledger(self.client, LIMITS.model_copy(update={"account_queue_cap": 100_000}))
        raw = connect(url, socket_timeout_seconds=30, raw=True)
        self.backups = Backups(ledger=Snapshots(raw), store=self.ledger, blobs=blobs, say=self.said.append)

    def submit(self, item_count: int = 1) -> None:
        task = new_task(item_count=item_count)
        for item in task.items:
            self.blobs.put(item.source, b"source")
        self.ledger.tasks.create(task)

    def work(self) -> bool:
        claim = self.ledger.claims.take([LANE], f"worker-{new_token()}", new_token())
        if claim is None:
            return False
        assert self.blobs.get(claim.source) == b"source"
        self.blobs.put(result_of(claim).blob, b"result")
        return self.ledger.claims.finish(claim, result_of(claim))

    def keys(self) -> dict[str, object]:
        """All that the ledger holds but who leads what."""
        read: dict[str, Callable[[str], object]] = {
            "hash": self.client.hgetall,
            "list": lambda key: self.client.lrange(key, 0, -1),
            "set": self.client.smembers,
            "string": self.client.get,
            "zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
        }
        names = [key for key in self.client.scan_iter() if "leader:" not in key]
        return {name: read[str(self.client.type(name))](name) for name in names}


@pytest.fixture
def place(file_blobs: BlobStore) -> Iterator[Place]:
    with redis_server() as url:
        made = Place(url, file_blobs)
        Installation(made.ledger, file_blobs).require()
        made.ledger.accounts.grant("alice", 100_000)
        yield made


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Place]:
    with redis_server() as url:
        yield Place(url, FileBlobStore(tmp_path / "elsewhere"))


def test_what_is_restored_is_what_was_there(place: Place, empty: Place, tmp_path: Path) -> None:
    for _ in range(3):
        place.submit(2)
    for _ in range(3):
        place.work()
    upload = new_upload()
    place.blobs.put(upload.blob, b"upload")
    place.ledger.uploads.keep(upload)
    place.client.set(f"{KEY_PREFIX}places:1", "x", px=60_000)
    before = place.keys()
    place.backups.make(tmp_path / "copy")
    empty.backups.restore(tmp_path / "copy", replaces=False)
    assert empty.keys() == before
    assert 0 < empty.client.pttl(f"{KEY_PREFIX}places:1") <= 60_000
    assert empty.blobs.get(upload.blob) == b"upload"
    Installation(empty.ledger, empty.blobs).require()
    while empty.work():
        pass
    balance = empty.ledger.accounts.balance("alice")
    assert balance is not None
    assert (balance.used, balance.reserved) == (6, 0)


def test_what_tasks_keep_for_corrections_is_restored(place: Place, empty: Place, tmp_path: Path) -> None:
    place.submit()
    claim = place.ledger.next_claim()
    mask = mask_key(claim.task, claim.index, claim.token, is_matte=False)
    for key, data in ((mask, b"mask"), (result_of(claim).blob, b"result")):
        place.blobs.put(key, data)
    assert place.ledger.claims.finish(claim, result_of(claim), mask=KeptMask(blob=mask, kept_bytes=10))
    place.backups.make(tmp_path / "copy")
    empty.backups.restore(tmp_path / "copy", replaces=False)
    kept = empty.ledger.tasks.kept(claim.task, claim.index, claim.account)
    assert kept is not None
    assert [empty.blobs.get(key) for key in (kept.source, kept.mask)] == [b"source", b"mask"]


def test_a_running_item_starts_again_at_once_and_no_attempt_counts(
    place: Place, empty: Place, tmp_path: Path
) -> None:
    place.submit()
    claim = place.ledger.next_claim()
    place.backups.make(tmp_path / "copy")
    empty.backups.restore(tmp_path / "copy", replaces=False)
    item = empty.ledger.task(claim.task).items[0]
    assert (item.state, item.attempts) == (ItemState.QUEUED, 0)
    assert not empty.ledger.claims.finish(claim, result_of(claim))
    assert empty.work()


def test_a_copy_is_of_one_moment_while_everybody_works(place: Place, empty: Place, tmp_path: Path) -> None:
    """Each copy balances, and has all pictures of its open items: else it fails by its own check."""
    for _ in range(1_000):
        place.submit()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            place.submit()
            place.work()

    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            place.backups.make(tmp_path / f"copy-{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    empty.backups.restore(tmp_path / "copy-2", replaces=False)
    open_count = len(empty.ledger.tasks.unfinished("alice"))
    assert open_count >= 1_000 - 4
    while empty.work():
        open_count -= 1
    assert open_count == 0


def test_a_bucket_is_backed_up_and_restored(place: Place, empty: Place, bucket: Bucket, tmp_path: Path) -> None:
    in_bucket = Place.__new__(Place)
    in_bucket.__dict__ |= place.__dict__ | {"blobs": open_blob_store(bucket.settings)}
    Installation(place.ledger, in_bucket.blobs).adopt()
    in_bucket.backups = Backups(
        ledger=place.backups.ledger, store=place.ledger, blobs=in_bucket.blobs, say=place.said.append
    )
    for _ in range(30):
        in_bucket.submit()
    in_bucket.work()
    in_bucket.backups.make(tmp_path / "copy")
    names = bucket.names()
    bucket.client.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": name} for name in names]})
    back = Backups(ledger=empty.backups.ledger, store=empty.ledger, blobs=in_bucket.blobs, say=empty.said.append)
    back.restore(tmp_path / "copy", replaces=False)
    # A source whose item has ended is not in the copy.
    assert len(bucket.names()) == 31
    Installation(empty.ledger, in_bucket.blobs).require()


def test_a_storage_that_is_left_keeps_what_it_has_and_gets_what_it_lacks(place: Place, tmp_path: Path) -> None:
    place.submit()
    place.submit()
    place.backups.make(tmp_path / "copy")
    stored = set(place.blobs.tasks())
    place.blobs.delete_task(min(stored))
    newer = new_upload()
    place.blobs.put(newer.blob, b"newer")
    place.client.flushall()
    place.backups.restore(tmp_path / "copy", replaces=False)
    assert set(place.blobs.tasks()) == {*stored, newer.uid}
    assert place.work()
    assert place.work()


def test_nothing_is_swept_while_pictures_are_copied(place: Place, tmp_path: Path) -> None:
    leader = place.ledger.upkeep.lead("retention", "another", 60)
    place.backups.make(tmp_path / "copy")
    assert leader == 0 < place.ledger.upkeep.lead("retention", "another", 60)


def test_an_upload_that_its_owner_deletes_meanwhile_fails_nothing(
    place: Place, empty: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = new_upload()
    place.ledger.uploads.keep(upload)
    place.backups.make(tmp_path / "copy")  # its blob is gone, and nothing else is missing
    assert json.loads((tmp_path / "copy" / "backup.json").read_text("utf-8"))["missing"] == [str(upload.blob)]
    empty.backups.restore(tmp_path / "copy", replaces=False)


def test_a_lost_source_fails_the_backup(place: Place, tmp_path: Path) -> None:
    place.submit()
    [source] = (key for key in (place.blobs.tasks()))
    place.blobs.delete_task(source)
    with pytest.raises(BackupFailed, match="1 pictures of records are not in the storage"):
        place.backups.make(tmp_path / "copy")
    with pytest.raises(BackupFailed, match="no whole backup"):
        place.backups.restore(tmp_path / "copy", replaces=True)


def test_a_ledger_whose_sums_are_wrong_is_not_a_backup(place: Place, tmp_path: Path) -> None:
    place.submit()
    place.client.hincrby(f"{KEY_PREFIX}account:alice", "reserved", 1)
    with pytest.raises(BackupFailed, match="reserved credits"):
        place.backups.make(tmp_path / "copy")


def test_a_ledger_that_is_emptied_meanwhile_is_not_a_backup(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = Redis.scan_iter

    def emptied(client: Redis, **options: object) -> Iterator[bytes]:
        yield from scan(client, **options)  # type: ignore[arg-type]
        place.client.flushall()

    monkeypatch.setattr(Redis, "scan_iter", emptied)
    with pytest.raises(LedgerUnavailable, match="was emptied"):
        place.backups.make(tmp_path / "copy")


def test_what_is_there_is_not_overwritten_without_a_word(place: Place, empty: Place, tmp_path: Path) -> None:
    place.submit()
    place.backups.make(tmp_path / "copy")
    with pytest.raises(BackupFailed, match="not empty"):
        place.backups.make(tmp_path / "copy")
    with pytest.raises(BackupFailed, match="ledger is not empty"):
        place.backups.restore(tmp_path / "copy", replaces=False)
    empty.blobs.install("1.another")
    with pytest.raises(BackupFailed, match="another installation's"):
        empty.backups.restore(tmp_path / "copy", replaces=False)
    place.work()
    place.backups.restore(tmp_path / "copy", replaces=True)
    assert place.work()
    place.ledger.upkeep.lead("reaper", "somebody", 60)
    with pytest.raises(BackupFailed, match="service is running"):
        place.backups.restore(tmp_path / "copy", replaces=True)


@pytest.mark.parametrize("damage", ["ledger.jsonl", "pictures"])
def test_a_damaged_backup_is_not_restored(place: Place, empty: Place, tmp_path: Path, damage: str) -> None:
    place.submit()
    place.backups.make(tmp_path / "copy")
    [file] = [one for one in (tmp_path / "copy").rglob("*") if one.is_file() and damage in str(one)]
    if damage == "pictures":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BackupFailed, match="damaged"):
        empty.backups.restore(tmp_path / "copy", replaces=False)
    assert empty.keys() == {}


def test_what_fails_leaves_nothing_behind(place: Place, tmp_path: Path) -> None:
    for _ in range(300):
        place.submit(3)
    place.backups.make(tmp_path / "copy")
    storage = FileBlobStore(tmp_path / "elsewhere")
    with redis_server("--maxmemory", "2200kb") as url:
        small = Place(url, storage)
        with pytest.raises(LedgerUnavailable, match="full"):
            small.backups.restore(tmp_path / "copy", replaces=False)
        assert small.keys() == {}
    assert list(storage.tasks()) == []
    assert storage.installation() is None

"""All of the upkeep in its threads, as every worker's parent and every gateway has it."""

import pytest

from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.settings import JobSettings
from cutgate.jobs.upkeep import background
from cutgate.jobs.upkeep.background import upkeep_threads
from tests.jobs.build import LANE, Ledger
from tests.waiting import eventually


def test_it_takes_items_back_and_removes_what_is_past_its_time(
    ledger: Ledger, memory_blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "REAP_SECONDS", 0.02)
    monkeypatch.setattr(background, "RETENTION_SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(background, "ORPHAN_SWEEPS_IN_GRACE", 60 / 0.02)
    settings = JobSettings(orphan_grace_seconds=60)
    ledger = ledger.limited(retention_seconds=100)
    expired = ledger.claimed()
    memory_blobs.put(expired.source, b"source")
    assert ledger.done(expired)
    memory_blobs.put(source_key(new_task_uid(), 0), b"orphan")
    ledger.clock.advance(seconds=101)
    ledger.claimed()
    ledger.clock.advance(seconds=16)
    ledger.client.zadd(f"{ledger.key_prefix}usages", {"alice/1": 1})  # of days long past
    counted = f"{ledger.key_prefix}account:alice"
    ledger.upload()
    ledger.client.hset(counted, "upload_bytes", -1)
    with upkeep_threads(settings, ledger, memory_blobs):
        eventually(lambda: ledger.waiting(LANE) == 1)
        eventually(lambda: list(memory_blobs.tasks()) == [])
        eventually(lambda: ledger.tasks.get(expired.task, "alice") is None)
        eventually(lambda: ledger.client.hget(counted, "upload_bytes") == "12345")
        eventually(lambda: ledger.client.zscore(f"{ledger.key_prefix}usages", "alice/1") is None)
    assert ledger.used().done == 1
    assert ledger.server.installation() == memory_blobs.installation() is not None

"""The gateway keeps the ledger in order where no worker is."""

from __future__ import annotations

import time
from pathlib import Path

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_task_uid, new_token, source_key
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, NewItem, NewTask
from cutgate.jobs.spec import CutoutSpec, lane_of
from tests.gateway.installation import Installation
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.waiting import eventually


def test_an_item_of_a_lost_worker_goes_back_and_orphans_go(tmp_path: Path) -> None:
    with redis_server() as redis_url, connect(redis_url) as client:
        ledger = RedisLedger(client, LedgerLimits(lease_seconds=0.5))
        blobs = FileBlobStore(tmp_path / "blobs")
        spec, uid = CutoutSpec(model="isnet-general-use"), new_task_uid()
        item = NewItem(source=source_key(uid, 0), spec=spec)
        ledger.create(NewTask(uid=uid, account="ada", origin="test", items=(item,)))
        assert ledger.claim([lane_of(spec)], "lost", new_token()) is not None
        orphan = new_task_uid(time.time() - 86_400)
        blobs.put(source_key(orphan, 0), b"nobody's")

        def in_order() -> bool:
            task = ledger.get(uid, "ada")
            return task is not None and task.items[0].state is ItemState.QUEUED and not list(blobs.tasks())

        with Installation(redis_url, tmp_path / "blobs").serving():
            eventually(in_order)
        assert in_order()


def test_a_server_that_evicts_is_refused(tmp_path: Path) -> None:
    with redis_server("--maxmemory-policy", "volatile-lru") as redis_url:
        done = Installation(redis_url, tmp_path).run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "noeviction" in done.stderr

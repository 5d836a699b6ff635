"""A server that is full refuses what is new, and goes on with everything that it holds."""

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from cutgate.jobs.errors import LedgerFull, LedgerUnwritable
from cutgate.jobs.ledger.client import connect
from cutgate.jobs.record import Idempotency, NewTask, Request, TaskStatus
from tests.jobs.build import ERROR, Ledger, new_task, new_upload, result_of
from tests.jobs.every_script import WORKER
from tests.servers.redis_server import redis_server
from tests.servers.small_disk import small_disk
from tests.waiting import eventually

MEMORY_BYTES = 8 * 2**20


@pytest.fixture
def small(binary: Path) -> Iterator[Redis]:
    """A server with little memory."""
    arguments = ("--maxmemory", str(MEMORY_BYTES), "--maxmemory-policy", "noeviction")
    with redis_server(*arguments, binary=binary) as url, connect(url) as client:
        yield client


def fill(client: Redis, share: float = 1) -> None:
    """Fill the server with what is none of ours, to a share of its memory."""
    for size_bytes in (2**15, 2**10, 2**6):
        with suppress(OutOfMemoryError):
            while client.info("memory")["used_memory"] < share * MEMORY_BYTES:
                client.rpush("filling", "x" * size_bytes)
            if share < 1:
                return


def test_only_what_adds_is_refused(small: Redis) -> None:
    ledger = Ledger(small)
    for _ in range(5):
        ledger.tasks.create(new_task())
    kept = new_upload()
    ledger.uploads.keep(kept)
    running, failing, stopping = ledger.next_claim(), ledger.next_claim(), ledger.next_claim()
    fill(small)

    additions: tuple[Callable[[], object], ...] = (
        lambda: ledger.tasks.create(new_task()),
        lambda: ledger.uploads.keep(new_upload()),
    )
    for add in additions:
        with pytest.raises(LedgerFull):
            add()
    assert ledger.claims.renew(running)
    assert ledger.claims.finish(running, result_of(running))
    assert ledger.claims.fail(failing, ERROR)
    assert ledger.claims.give_back(stopping)
    last = ledger.next_claim()
    assert ledger.claims.give_back_owned(last.owner, died=True) == 1
    assert ledger.tasks.terminate(last.task, "alice")
    assert ledger.upkeep.reap().items == 0
    assert ledger.upkeep.hide_expired() == ()
    assert ledger.uploads.use(kept.uid, "alice") == kept
    ledger.presence.announce(WORKER, ttl_seconds=60)
    assert ledger.presence.alive() == (WORKER,)
    ended = ledger.tasks.get(running.task, "alice")
    assert ended is not None
    assert ended.status is TaskStatus.FINISHED


def test_new_tasks_are_refused_before_it_is_full(small: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutgate.jobs.ledger.server.ROOM_SECONDS", 0)
    ledger = Ledger(small)
    fill(small, 0.7)
    ledger.server.require_room()
    fill(small, 0.91)
    with pytest.raises(LedgerFull):
        ledger.server.require_room()
    memory = ledger.server.memory()
    assert memory.limit_bytes == MEMORY_BYTES
    assert 0.9 * MEMORY_BYTES < memory.used_bytes < MEMORY_BYTES
    small.flushall()
    eventually(lambda: not ledger.server.memory().is_short)  # the server may free it beside its work
    ledger.server.require_room()


def test_a_server_without_a_limit_always_has_room(client: Redis) -> None:
    ledger = Ledger(client)
    assert not ledger.server.memory().is_short
    ledger.server.require_room()


def a_picpik_task() -> NewTask:
    """As `RemoveBackground` makes it."""
    digest = secrets.token_hex(32)
    return replace(
        new_task(idempotency=Idempotency(key=f"picpik:{digest[:40]}", content_digest=digest)),
        origin="RemoveBackground",
        request=Request(uuid=str(uuid.uuid4())),
    )


def test_a_finished_task_takes_a_kilobyte(binary: Path) -> None:
    count = 1_000
    with (
        redis_server("--hash-max-listpack-value", "1024", binary=binary) as url,
        connect(url) as client,
    ):
        ledger = Ledger(client)

        def used_bytes() -> int:
            # What is kept for a minute alone is no part of it, nor is a table that is moved into a larger one.
            client.delete("{cutgate}:spent", "{cutgate}:past_claims")
            seen: list[int] = []

            def stands_still() -> bool:
                seen.append(client.info("memory")["used_memory"])
                return seen[-20:] == seen[-1:] * 20

            eventually(stands_still)
            return seen[-1]

        finished = [0, 0]
        for half in range(2):
            for _ in range(count):
                ledger.tasks.create(a_picpik_task())
                claim = ledger.next_claim()
                assert ledger.claims.finish(claim, result_of(claim))
            finished[half] = used_bytes()
        assert (finished[1] - finished[0]) / count <= 1_024


def test_a_server_whose_disk_is_full_says_so(binary: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        kept = ("--dir", str(disk.root), "--appendonly", "yes", "--appendfsync", "everysec")
        with redis_server(*kept, binary=binary) as url, connect(url) as client:
            ledger = Ledger(client)
            ledger.tasks.create(new_task())
            with suppress(OSError):  # the server's file has some of it
                disk.fill(leave_bytes=0)

            def is_refused() -> bool:
                try:
                    ledger.tasks.create(new_task())
                except LedgerUnwritable as error:
                    return error.message == "the ledger's server cannot write its file; its disk may be full"
                return False

            eventually(is_refused)
            disk.empty()
            eventually(lambda: ledger.tasks.create(new_task()), despite=(LedgerUnwritable,))

"""Which servers may hold the ledger, and what is said of those that may not."""

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError
from structlog.testing import capture_logs

from cutgate.jobs.errors import LedgerBroken, LedgerFull, LedgerUnavailable, LedgerUnwritable
from cutgate.jobs.ledger.database import Scripts, no_offset
from cutgate.jobs.ledger.server import (
    ServerFacts,
    ServerUnfit,
)
from cutgate.jobs.record import Idempotency, NewTask, Request, TaskStatus
from cutgate.jobs.redis_client import connect, ledger_errors
from cutgate.jobs.upkeep.background import watch_server
from tests.jobs.build import ERROR, Ledger, new_task, new_upload, result_of
from tests.jobs.every_script import WORKER
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server, restart
from tests.servers.small_disk import small_disk
from tests.waiting import eventually


class Saying(Redis):
    """A server that says of itself what a test wants."""

    def __init__(self, **said: object) -> None:
        self.said = said

    def info(self, *_: Any, **__: Any) -> Any:
        return {"maxmemory_policy": "noeviction", "aof_enabled": 1} | self.said

    def __del__(self) -> None:
        """There is nothing to close."""


def test_a_server_that_keeps_everything_on_disk_is_taken_without_a_word(own_url: str) -> None:
    with connect(own_url) as client, capture_logs() as logs:
        Ledger(client).server.require_fit()
    assert logs == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_one_that_evicts_is_refused_with_a_way_out(binary: Path, policy: str) -> None:
    with (
        redis_server("--maxmemory-policy", policy, binary=binary) as url,
        connect(url) as client,
        pytest.raises(ServerUnfit, match=f"is {policy}.*noeviction"),
    ):
        ServerFacts.of(client).require_fit()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14"),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.0"}, "Valkey 7.1.0"),
    ],
)
def test_an_older_one_is_refused_and_the_good_ones_are_named(said: dict[str, object], name: str) -> None:
    with pytest.raises(ServerUnfit, match=f"{name} is too old.*Redis 7.0 or newer, or Valkey 7.2 or newer"):
        ServerFacts.of(Saying(**said)).require_fit()


@pytest.mark.parametrize(
    "said", [{"redis_version": "7.0.0"}, {"redis_version": "10.1"}, {"valkey_version": "7.2.0"}]
)
def test_newer_ones_are_taken(said: dict[str, object]) -> None:
    ServerFacts.of(Saying(**said)).require_fit()


def test_a_node_of_a_cluster_is_refused(binary: Path) -> None:
    with (
        redis_server("--cluster-enabled", "yes", "--cluster-port", str(free_port()), binary=binary) as url,
        connect(url) as client,
        pytest.raises(ServerUnfit, match="cluster"),
    ):
        ServerFacts.of(client).require_fit()


def test_a_missing_append_only_file_is_said_loudly(redis_url: str) -> None:
    with connect(redis_url) as client, capture_logs() as logs:
        Ledger(client).server.require_fit()
    [said] = logs
    assert (said["event"], said["log_level"]) == ("ledger_not_on_disk", "warning")
    assert "appendonly yes" in said["remedy"]


def test_a_server_that_does_not_say_is_accepted_with_one_log_line(binary: Path) -> None:
    with redis_server(binary=binary) as url, connect(url) as client, capture_logs() as logs:
        client.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
        ledger = Ledger(client)
        watch_server(ledger)
        watch_server(ledger)
    assert [entry["event"] for entry in logs] == ["eviction_policy_unknown"]


def test_an_absent_server_is_not_an_answer() -> None:
    with connect("unix:///nowhere.sock", retries=0) as client, pytest.raises(LedgerUnavailable):
        ServerFacts.of(client).require_fit()


def test_a_server_is_checked_again_once_it_is_another_one(own_url: str) -> None:
    with connect(own_url) as client, capture_logs() as logs:
        ledger = Ledger(client)
        watch_server(ledger)
        client.config_set("maxmemory-policy", "allkeys-lru")
        watch_server(ledger)
        assert logs == []  # it is the same one still
        restart(own_url)
        client.config_set("maxmemory-policy", "allkeys-lru")
        watch_server(ledger)
        watch_server(ledger)
    [said] = logs
    assert (said["event"], said["log_level"], "noeviction" in said["reason"]) == (
        "ledger_server_unfit",
        "error",
        True,
    )


def test_a_script_that_fails_is_a_fault_and_not_a_server_that_is_away(client: Redis, key_prefix: str) -> None:
    client.set(f"{key_prefix}totals", "no hash")
    with pytest.raises(LedgerBroken, match=r"FIGURES failed.*WRONGTYPE"):
        Scripts(client, key_prefix, no_offset).run("figures")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("ACL", "SETUSER", "default", "-set"), "NoPermissionError"),
        (("REPLICAOF", "127.0.0.1", "1"), "ReadOnlyError"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), "NOREPLICAS"),
    ],
)
def test_a_refusal_is_named(binary: Path, command: tuple[str, ...], word: str) -> None:
    with redis_server(binary=binary) as url, connect(url) as client:
        client.execute_command(*command)
        with pytest.raises(LedgerUnavailable, match=f"refuses to work: {word}"), ledger_errors():
            client.set("a", "b")


def test_a_script_that_the_server_has_forgotten_is_no_fault(client: Redis) -> None:
    with pytest.raises(LedgerUnavailable, match="refuses to work: NoScriptError"), ledger_errors():
        client.evalsha("0" * 40, 0)


# A server that is full refuses what is new, and goes on with everything that it holds.


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
    assert ledger.expired() == ()
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

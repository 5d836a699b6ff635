"""All of the upkeep in its threads, as every worker's parent and every gateway has it."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from cutgate.jobs.answers import Reaped
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import LedgerUnavailable, WrongInstallation
from cutgate.jobs.ids import new_task_uid, new_token, source_key
from cutgate.jobs.ledger.database import BATCH
from cutgate.jobs.ledger.server import ServerUnfit
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import Phase, TaskStatus
from cutgate.jobs.redis_client import connect
from cutgate.jobs.settings import JobSettings
from cutgate.jobs.upkeep import background
from cutgate.jobs.upkeep.background import belong_together, upkeep_threads, watch_installation
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.leadership import Leadership
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import Reaper
from cutgate.jobs.upkeep.retention import FEW, Sweeper
from tests.fakes import MemoryBlobStore
from tests.jobs.build import LANE, LIMITS, Ledger, new_task
from tests.ledgers import fresh_prefix, hints_of, lose_hints
from tests.servers.redis_server import redis_server
from tests.waiting import PATIENCE_SECONDS, eventually


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


# One process at a time does a sweep, and another one soon after it has gone.


def test_the_first_leads_and_goes_on_leading(ledger: Ledger) -> None:
    first, second = (Leadership(ledger, "sweep", 30) for _ in range(2))
    assert [first.holds(), second.holds(), first.holds()] == [True, False, True]
    assert Leadership(ledger, "another", 30).holds()


def test_who_does_not_lead_asks_no_more_until_it_may(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    now_seconds = 0.0
    monkeypatch.setattr("cutgate.jobs.upkeep.leadership.time.monotonic", lambda: now_seconds)
    asked: list[float] = []
    lead = ledger.upkeep.lead

    def counted(sweep: str, holder: str, hold_seconds: float) -> float:
        asked.append(now_seconds)
        return lead(sweep, holder, hold_seconds)

    monkeypatch.setattr(ledger.upkeep, "lead", counted)
    assert Leadership(ledger, "sweep", 30).holds()
    follower = Leadership(ledger, "sweep", 30)
    for now_seconds in range(100):  # noqa: B007 — the clock reads it
        assert not follower.holds()
    assert len(asked) - 1 <= 4


def test_a_silent_leader_is_followed(ledger: Ledger) -> None:
    assert ledger.upkeep.lead("sweep", "first", 60) == 0
    assert 0 < ledger.upkeep.lead("sweep", "second", 60) <= 60
    assert ledger.upkeep.lead("sweep", "first", 0.05) == 0
    eventually(lambda: ledger.upkeep.lead("sweep", "second", 60) == 0)


# Threads that outlive what goes wrong.


ENOUGH = 6


def run_until_called(outcomes: dict[int, Exception]) -> list[str]:
    """Call a function a few times that fails at some of them, and return the log's events."""
    calls, enough = iter(range(1, 10_000)), threading.Event()

    def call() -> None:
        number = next(calls)
        if number > ENOUGH:
            enough.set()
        if number in outcomes:
            raise outcomes[number]

    with capture_logs() as logs, Every(0.001, call, "test"):
        assert enough.wait(PATIENCE_SECONDS)
    return [entry["event"] for entry in logs]


def test_an_outage_is_logged_once_and_its_end_too() -> None:
    away = LedgerUnavailable("restarting")
    assert run_until_called({2: away, 3: away, 4: away}) == ["service_away", "service_back"]


def test_the_next_outage_is_another() -> None:
    away = LedgerUnavailable("restarting")
    assert run_until_called({1: away, 3: away, 4: away}) == ["service_away", "service_back"] * 2


def test_no_fault_ends_the_loop() -> None:
    assert run_until_called({1: ZeroDivisionError()}) == ["loop_failed"]


@pytest.mark.parametrize("at_once", [False, True])
def test_the_first_call_comes_after_a_pause_or_at_once(at_once: bool) -> None:
    called = threading.Event()
    with Every(60, called.set, "test", at_once=at_once):
        assert called.wait(PATIENCE_SECONDS if at_once else 0.05) is at_once


def test_closing_wakes_the_thread() -> None:
    loop = Every(60, lambda: None, "sleeper")
    with loop:
        assert "sleeper" in {thread.name for thread in threading.enumerate()}
    assert "sleeper" not in {thread.name for thread in threading.enumerate()}


# The reaper's loop.


def test_a_lost_workers_item_is_done_by_another(ledger: Ledger) -> None:
    task = ledger.submit(item_count=3)
    ledger.next_claim()
    lose_hints(ledger)
    ledger.clock.advance(seconds=16)
    assert Reaper(ledger).sweep() == Reaped(requeued=1)
    while lose_hints(ledger, 1):
        claim = ledger.claims.take([LANE], "worker-1", new_token())
        assert claim is None or ledger.done(claim)
    assert ledger.task(task.uid).status is TaskStatus.FINISHED


def test_a_frozen_server_takes_nothing_from_those_who_could_not_renew(
    key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than a lease, as a paused machine or a stalled disk freezes it."""
    monkeypatch.setattr("cutgate.jobs.ledger.upkeep.SILENT_SECONDS", 0.5)
    with redis_server() as url, connect(url, socket_timeout_seconds=0.2, retries=0) as client:
        ledger = Ledger(client, LIMITS.model_copy(update={"lease_seconds": 1.5}), key_prefix=key_prefix)
        claim = ledger.claimed()
        pid = client.info("server")["process_id"]
        with Every(0.05, Reaper(ledger).sweep, "reaper"):
            eventually(lambda: client.exists(f"{key_prefix}server"))
            os.kill(pid, signal.SIGSTOP)
            time.sleep(2.5)
            os.kill(pid, signal.SIGCONT)
            eventually(lambda: int(client.hget(f"{key_prefix}server", "since_ms") or 0), despite=(RedisError,))
            time.sleep(0.2)  # more sweeps, which find the lease as the first one left it
            assert ledger.claims.renew(claim, Phase.COMPUTING)
            # Who renews no more is lost, though a lease later.
            eventually(lambda: ledger.waiting(LANE) == 1)


def test_only_one_of_two_reapers_sends_hints(ledger: Ledger) -> None:
    ledger.submit()
    lose_hints(ledger)
    ledger.clock.advance(seconds=6)
    one, two = Reaper(ledger), Reaper(ledger)
    assert one.sweep() == Reaped(hints={LANE: 1})
    assert two.sweep() is None
    assert hints_of(ledger) == [LANE]


def test_a_backlog_comes_back_within_one_sweep(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone is lost with a thousand leases: full batches follow one another."""
    monkeypatch.setattr("cutgate.jobs.upkeep.reaper.BACKLOG_SECONDS", 60)
    ledger = ledger.limited(account_queue_cap=5 * BATCH)
    for _ in range(5):
        ledger.claimed_items(item_count=BATCH)
    ledger.clock.advance(seconds=16)
    Reaper(ledger).sweep()
    assert ledger.waiting(LANE) == 5 * BATCH
    assert set(hints_of(ledger)) == {LANE}


# Ledger and storage belong together, or nothing starts and nothing is swept.


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
    assert ledger.server.install("1.another") == ledger.server.install("1.third") == "1.another"
    mixed = Installation(ledger, blobs)
    with pytest.raises(WrongInstallation, match="two installations"):
        mixed.require()
    with capture_logs() as logs:
        assert not belong_together(mixed)
    assert [(line["event"], line["log_level"]) for line in logs] == [("sweep_refused", "error")]
    mixed.adopt()
    mixed.require()


@pytest.mark.parametrize(("found", "said"), [("2.another", "2"), ("older", "older")])
def test_another_format_is_refused_in_words(
    ledger: Ledger, memory_blobs: BlobStore, found: str, said: str
) -> None:
    ledger.server.install(found)
    memory_blobs.install(found)
    with pytest.raises(ServerUnfit, match=f"has format {said}, this version of Cutgate reads 1: install"):
        Installation(ledger, memory_blobs).require()
    watch_installation(ledger, memory_blobs)
    with pytest.raises(WrongInstallation, match=f"has format {said}"):
        ledger.server.require_room()


@pytest.mark.usefixtures("installed")
def test_the_watch_notes_once_what_is_lost_and_when_it_is_back(
    client: Redis, blobs: BlobStore, key_prefix: str
) -> None:
    store = Ledger(client, key_prefix=key_prefix)
    watch_installation(store, blobs)
    store.server.require_known()
    whole = client.get(f"{key_prefix}installation")
    client.delete(f"{key_prefix}installation")
    with pytest.raises(WrongInstallation):
        store.server.require_known()  # at once: nobody is unknown to a ledger that is empty
    with capture_logs() as logs:
        watch_installation(store, blobs)
        watch_installation(store, MemoryBlobStore())  # both are empty, which is not how they were
        with pytest.raises(WrongInstallation, match="both lost"):
            store.server.require_room()
        client.set(f"{key_prefix}installation", str(whole))
        watch_installation(store, blobs)
    store.server.require_room()
    assert [line["event"] for line in logs] == ["installation_wrong", "installation_wrong", "installation_whole"]


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

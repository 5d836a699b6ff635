"""The worker's parent: it names and buries its children, whenever the ledger answers."""

import os
import threading
import time
from unittest.mock import Mock

import pytest
from celery.exceptions import Reject

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import new_task_uid, new_token, source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Item, ItemState, NewItem, NewTask
from cutgate.jobs.spec import CutoutSpec, lane_of
from cutgate.worker.process.child import Child
from cutgate.worker.process.concurrency import Deadlines
from cutgate.worker.process.parent import HeldDuringFork, Parent
from cutgate.worker.settings import WorkerSettings
from tests.fakes import ManualClock, MemoryBlobStore
from tests.ledgers import FreshLedger, kept_sources
from tests.waiting import eventually

SPEC = CutoutSpec(model="stand-in")
LANE = lane_of(SPEC)


class Stage:
    """A parent with one item that its child has claimed."""

    def __init__(self) -> None:
        clock = ManualClock()
        settings = WorkerSettings()
        self.ledger = FreshLedger(settings.ledger_limits(), clock)
        self.blobs = MemoryBlobStore()
        self.deadlines = Deadlines(1)
        self.parent = Parent(settings, self.ledger, self.blobs, self.deadlines)
        self.parent.before_child()
        self.first = self.parent.owner
        self.uid = new_task_uid()
        item = NewItem(source=source_key(self.uid, 0), spec=SPEC)
        self.blobs.put(item.source, b"picture")
        self.ledger.tasks.create(NewTask(uid=self.uid, account="ada", origin="test", items=(item,)))
        assert self.ledger.claims.take([LANE], self.first, new_token()) is not None
        facts = WorkerPresence(
            owner=self.first, lane=LANE, model="m", engine="e", provider="p", dtype="fp32", threads=1
        )
        self.ledger.presence.announce(facts, ttl_seconds=60)

    def item(self) -> Item:
        task = self.ledger.tasks.get(self.uid, "ada")
        assert task is not None
        return task.items[0]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_next_child_has_another_name(stage: Stage) -> None:
    stage.parent.before_child()
    assert stage.parent.owner != stage.first


def test_two_machines_of_one_name_are_told_apart() -> None:
    first, second = (Stage().first.rpartition(".")[2] for _ in range(2))
    assert first != second


def test_the_last_child_is_buried_before_the_next(stage: Stage) -> None:
    stage.parent.before_child()
    assert (stage.item().state, stage.item().attempts) == (ItemState.QUEUED, 1)
    assert stage.ledger.presence.alive() == ()


def test_a_picture_that_kills_its_workers_fails_and_is_kept(stage: Stage) -> None:
    stage.parent.before_child()
    for _ in range(LedgerLimits().max_attempts - 1):
        assert kept_sources(stage.ledger, stage.uid) == set()
        assert stage.ledger.claims.take([LANE], stage.parent.owner, new_token()) is not None
        stage.parent.before_child()
    assert stage.item().state is ItemState.FAILED
    assert kept_sources(stage.ledger, stage.uid) == set(stage.blobs.keys())


def test_an_orderly_end_is_no_attempt(stage: Stage) -> None:
    with stage.parent:
        assert stage.item().state is ItemState.RUNNING
    assert (stage.item().state, stage.item().attempts) == (ItemState.QUEUED, 0)
    assert stage.ledger.presence.alive() == ()


def test_a_burial_waits_for_the_ledger(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.ledger.claims, "give_back_owned", Mock(side_effect=LedgerUnavailable("restarting")))
    stage.parent.before_child()
    assert stage.item().state is ItemState.RUNNING
    with stage.parent:
        stage.parent.ready()
        monkeypatch.undo()
        eventually(lambda: stage.item().state is ItemState.QUEUED)
        assert stage.item().attempts == 1


def test_before_the_first_child_there_is_no_name() -> None:
    parent = Stage().parent
    with parent:
        pass
    with pytest.raises(RuntimeError, match="no child"):
        _ = parent.owner


def test_no_fork_falls_into_a_call() -> None:
    inside, under_way = threading.Event(), threading.Event()

    def call() -> None:
        inside.set()
        under_way.set()
        time.sleep(0.3)
        inside.clear()

    thread = threading.Thread(target=HeldDuringFork(call))
    thread.start()
    assert under_way.wait(60)
    child = os.fork()
    if child == 0:
        os._exit(int(inside.is_set()))
    _, status = os.waitpid(child, 0)
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_child_that_could_not_start_gives_its_hints_to_others() -> None:
    settings = WorkerSettings()
    with pytest.raises(Reject) as caught:
        Child(settings).run(LANE)
    assert caught.value.requeue


def killed(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once the parent kills its children."""
    event = threading.Event()
    monkeypatch.setattr("cutgate.worker.process.parent._kill_children", event.set)
    monkeypatch.setattr("cutgate.worker.process.parent.WATCH_SECONDS", 0.02)
    monkeypatch.setattr("cutgate.worker.process.parent.IDLE_SECONDS", 0.2)
    return event


def test_a_child_that_has_nothing_to_do_and_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint that came with the signal is lost between Celery and its pool: nobody will follow it."""
    kill = killed(monkeypatch)
    stage = Stage()
    stage.parent.stopping()
    assert kill.wait(60)
    eventually(lambda: stage.item().state is ItemState.QUEUED)
    assert stage.item().attempts == 0


def test_a_child_that_works_has_its_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    kill = killed(monkeypatch)
    stage = Stage()
    stage.deadlines.set(0, 60)
    with stage.parent:
        stage.parent.stopping()
        assert not kill.wait(1)
        stage.deadlines.clear(0)
        assert kill.wait(60)


def test_who_ends_in_time_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kill = killed(monkeypatch)
    stage = Stage()
    with stage.parent:
        stage.parent.stopping()
    assert not kill.wait(0.5)

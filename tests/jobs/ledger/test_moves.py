"""The table of allowed moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.store import LedgerStore
from cutgate.jobs.record import Claim, ItemState, TaskStatus, status_of
from tests.jobs.build import ERROR, LANE, URL, claim_next, item_of, new_task, new_upload, result_of


class Move(StrEnum):
    """What can happen to an item."""

    FETCHED = "fetched"
    KEPT = "kept"
    FETCH_FAILED = "fetch failed"
    CLAIM = "claim"
    FINISH = "finish"
    FAIL = "fail"
    GIVE_BACK = "give back"
    TERMINATE = "terminate"


MOVES: Final[Mapping[Move, tuple[frozenset[ItemState], ItemState]]] = {
    Move.FETCHED: (frozenset({ItemState.FETCHING}), ItemState.QUEUED),
    Move.KEPT: (frozenset({ItemState.FETCHING}), ItemState.DONE),
    Move.FETCH_FAILED: (frozenset({ItemState.FETCHING}), ItemState.FAILED),
    Move.CLAIM: (frozenset({ItemState.QUEUED}), ItemState.RUNNING),
    Move.FINISH: (frozenset({ItemState.RUNNING}), ItemState.DONE),
    Move.FAIL: (frozenset({ItemState.RUNNING}), ItemState.FAILED),
    Move.GIVE_BACK: (frozenset({ItemState.RUNNING}), ItemState.QUEUED),
    Move.TERMINATE: (frozenset({ItemState.QUEUED, ItemState.FETCHING, ItemState.RUNNING}), ItemState.FAILED),
}


def _queued(ledger: LedgerStore) -> Claim:
    """An item that waits, and a claim that nobody has."""
    model = new_task(account="model")
    ledger.create(model)
    held = claim_next(ledger)
    task = new_task()
    ledger.create(task)
    return replace(held, task=task.uid, token=new_token())


def _running(ledger: LedgerStore) -> Claim:
    ledger.create(new_task())
    return claim_next(ledger)


def _done(ledger: LedgerStore) -> Claim:
    claim = _running(ledger)
    assert ledger.finish(claim, result_of(claim))
    return replace(claim, token=new_token())


def _failed(ledger: LedgerStore) -> Claim:
    claim = _running(ledger)
    assert ledger.fail(claim, ERROR)
    return replace(claim, token=new_token())


def _fetching(ledger: LedgerStore, *, keep: bool = False) -> Claim:
    """An item that is still to be fetched, and a claim that nobody has."""
    model = _done(ledger)
    task = new_task(source_url=URL, keep=keep)
    ledger.create(task)
    return replace(model, task=task.uid, token=new_token())


BRING_TO: dict[ItemState, Callable[[LedgerStore], Claim]] = {
    ItemState.FETCHING: _fetching,
    ItemState.QUEUED: _queued,
    ItemState.RUNNING: _running,
    ItemState.DONE: _done,
    ItemState.FAILED: _failed,
}

COURIER = new_token()

MAKE: dict[Move, Callable[[LedgerStore, Claim], object]] = {
    Move.FETCHED: lambda ledger, _: (errand := ledger.take_errand("w", COURIER)) and ledger.fetched(errand),
    Move.KEPT: lambda ledger, _: (
        (errand := ledger.take_errand("w", COURIER)) and ledger.kept(errand, new_upload())
    ),
    Move.FETCH_FAILED: lambda ledger, _: (
        (errand := ledger.take_errand("w", COURIER)) and ledger.fetch_failed(errand, ERROR)
    ),
    Move.CLAIM: lambda ledger, claim: ledger.claim([LANE], "worker-2", new_token()),
    Move.FINISH: lambda ledger, claim: ledger.finish(claim, result_of(claim)),
    Move.FAIL: lambda ledger, claim: ledger.fail(claim, ERROR),
    Move.GIVE_BACK: lambda ledger, claim: ledger.give_back(claim),
    Move.TERMINATE: lambda ledger, claim: (
        claim.task in ledger.unfinished("alice") and ledger.terminate(claim.task, "alice")
    ),
}


@pytest.mark.parametrize("state", BRING_TO)
@pytest.mark.parametrize("move", MAKE)
def test_a_move_is_made_where_the_table_has_it(ledger: LedgerStore, state: ItemState, move: Move) -> None:
    to_keep = state is ItemState.FETCHING and move is Move.KEPT
    claim = _fetching(ledger, keep=True) if to_keep else BRING_TO[state](ledger)
    answer = MAKE[move](ledger, claim)
    origins, target = MOVES[move]
    assert bool(answer) == (state in origins)
    assert item_of(ledger, claim).state is (target if state in origins else state)


def test_the_table_covers_every_move_and_state() -> None:
    assert set(MOVES) == set(Move)
    origins = frozenset[ItemState]().union(*(origins for origins, _ in MOVES.values()))
    assert origins == {state for state in ItemState if not state.final}


@pytest.mark.parametrize(
    ("started", "open_count", "done_count", "status"),
    [
        (False, 2, 0, TaskStatus.QUEUING),
        (True, 2, 0, TaskStatus.RUNNING),
        (True, 1, 1, TaskStatus.RUNNING),
        (True, 0, 1, TaskStatus.FINISHED),
        (True, 0, 0, TaskStatus.ERROR),
        (False, 0, 0, TaskStatus.ERROR),
    ],
)
def test_status_from_counters(started: bool, open_count: int, done_count: int, status: TaskStatus) -> None:
    assert status_of(started=started, open_count=open_count, done_count=done_count) is status

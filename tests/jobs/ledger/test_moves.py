"""The table of allowed moves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from cutgate.jobs.ids import new_token
from cutgate.jobs.record import Claim, Errand, ItemState, TaskStatus, status_of
from tests.jobs.build import ERROR, URL, Ledger, new_upload

FETCHING, QUEUED, RUNNING = ItemState.FETCHING, ItemState.QUEUED, ItemState.RUNNING
DONE, FAILED = ItemState.DONE, ItemState.FAILED
COURIER = new_token()


def fetch_of(ledger: Ledger) -> Errand | None:
    return ledger.errands.take("courier-1", COURIER)


Make = Callable[[Ledger, Claim], object]
MOVES: Final[dict[str, tuple[Make, set[ItemState], ItemState]]] = {
    "fetched": (
        lambda ledger, _: (errand := fetch_of(ledger)) and ledger.errands.fetched(errand),
        {FETCHING},
        QUEUED,
    ),
    "kept": (
        lambda ledger, _: (errand := fetch_of(ledger)) and ledger.errands.kept(errand, new_upload()),
        {FETCHING},
        DONE,
    ),
    "fetch failed": (
        lambda ledger, _: (errand := fetch_of(ledger)) and ledger.errands.fetch_failed(errand, ERROR),
        {FETCHING},
        FAILED,
    ),
    "claim": (lambda ledger, _: not ledger.no_claim(), {QUEUED}, RUNNING),
    "finish": (lambda ledger, claim: ledger.done(claim), {RUNNING}, DONE),
    "fail": (lambda ledger, claim: ledger.claims.fail(claim, ERROR), {RUNNING}, FAILED),
    "give back": (lambda ledger, claim: ledger.claims.give_back(claim), {RUNNING}, QUEUED),
    "terminate": (
        lambda ledger, claim: (
            claim.task in ledger.tasks.unfinished("alice") and ledger.tasks.terminate(claim.task, "alice")
        ),
        {QUEUED, FETCHING, RUNNING},
        FAILED,
    ),
}
"""How each is made, from which states, and where it leads."""


def item_in(state: ItemState, ledger: Ledger, *, keep: bool) -> Claim:
    """An item in a state, and a claim on it: where it does not run, one that nobody has."""
    claim = ledger.claimed()
    if state is RUNNING:
        return claim
    assert ledger.claims.fail(claim, ERROR) if state is FAILED else ledger.done(claim)
    if state in {FETCHING, QUEUED}:
        task = ledger.submit(source_url=URL if state is FETCHING else None, keep=keep)
        claim = replace(claim, task=task.uid)
    return replace(claim, token=new_token())


@pytest.mark.parametrize("state", ItemState)
@pytest.mark.parametrize("move", MOVES)
def test_a_move_is_made_where_the_table_has_it(ledger: Ledger, state: ItemState, move: str) -> None:
    make, origins, target = MOVES[move]
    claim = item_in(state, ledger, keep=(state, move) == (FETCHING, "kept"))
    assert bool(make(ledger, claim)) == (state in origins)
    assert ledger.item(claim).state is (target if state in origins else state)


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

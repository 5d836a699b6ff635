"""A worker that lost its claim and does not know it yet: what it writes disturbs nobody."""

from __future__ import annotations

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.ids import result_key
from cutgate.jobs.record import ItemState
from tests.fakes import ManualClock
from tests.jobs.build import LIMITS, claim_next, item_of, new_task, result_of
from tests.ledgers import FreshLedger


def test_a_late_finisher_overwrites_nothing(file_blobs: BlobStore, clock: ManualClock) -> None:
    ledger = FreshLedger(LIMITS, clock)
    task = new_task()
    file_blobs.put(task.items[0].source, b"source")
    ledger.create(task)
    late = claim_next(ledger)
    clock.advance(seconds=LIMITS.lease_seconds + 1)
    ledger.reap("reaper", {})
    winner = claim_next(ledger)

    # Each in the worker's order: blob, FINISH, and the own blob goes again after a refusal.
    file_blobs.put(result_of(winner).blob, b"the winner's")
    assert ledger.finish(winner, result_of(winner))
    file_blobs.put(result_of(late).blob, b"the late one's")
    item = item_of(ledger, winner)
    assert item.state is ItemState.DONE
    assert item.result
    assert file_blobs.get(item.result.blob) == b"the winner's"
    assert not ledger.finish(late, result_of(late))
    file_blobs.delete(result_of(late).blob)
    assert file_blobs.get(item.result.blob) == b"the winner's"
    assert file_blobs.get(task.items[0].source) == b"source"


def test_the_late_finisher_may_be_first(file_blobs: BlobStore, clock: ManualClock) -> None:
    """The one whose claim lapsed writes before the other: its blob is not taken for the result."""
    ledger = FreshLedger(LIMITS, clock)
    ledger.create(new_task())
    late = claim_next(ledger)
    clock.advance(seconds=LIMITS.lease_seconds + 1)
    ledger.reap("reaper", {})
    winner = claim_next(ledger)
    file_blobs.put(result_of(late).blob, b"the late one's")
    assert not ledger.finish(late, result_of(late))
    file_blobs.put(result_of(winner).blob, b"the winner's")
    file_blobs.delete(result_of(late).blob)
    assert ledger.finish(winner, result_of(winner))
    item = item_of(ledger, winner)
    assert item.result
    assert item.result.blob == result_key(winner.task, winner.index, winner.token)
    assert file_blobs.get(item.result.blob) == b"the winner's"

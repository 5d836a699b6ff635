"""A worker that lost its claim and does not know it yet: what it writes disturbs nobody."""

import pytest

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.record import Claim, ItemState
from tests.jobs.build import LIMITS, Ledger, result_of


@pytest.mark.parametrize("late_is_first", [True, False])
def test_a_late_finisher_overwrites_nothing(ledger: Ledger, file_blobs: BlobStore, late_is_first: bool) -> None:
    late = ledger.claimed()
    file_blobs.put(late.source, b"source")
    ledger.clock.advance(seconds=LIMITS.lease_seconds + 1)
    ledger.reap()
    winner = ledger.next_claim()

    def end(claim: Claim) -> None:
        """In a worker's order: blob, FINISH, and the own blob goes again after a refusal."""
        file_blobs.put(result_of(claim).blob, claim.token.encode())
        assert ledger.done(claim) == (claim == winner)
        if claim == late:
            file_blobs.delete(result_of(claim).blob)

    for claim in (late, winner) if late_is_first else (winner, late):
        end(claim)
    item = ledger.item(winner)
    assert (item.state, item.result) == (ItemState.DONE, result_of(winner))
    assert file_blobs.get(result_of(winner).blob) == winner.token.encode()
    assert file_blobs.get(winner.source) == b"source"

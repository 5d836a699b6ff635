"""GIVE_BACK: an item goes back to its old place, by its worker or by the worker's parent."""

import pytest

from cutgate.jobs.answers import Balance
from cutgate.jobs.record import ItemState, Phase
from tests.jobs.build import ERROR, LANE, Ledger
from tests.ledgers import spent_sources


class TestByTheWorker:
    def test_a_repeat_answers_as_the_first_time(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        assert ledger.claims.give_back(claim)
        assert ledger.claims.give_back(claim)
        assert (ledger.waiting(LANE), ledger.item(claim).attempts) == (1, 0)
        again = ledger.next_claim()
        assert ledger.claims.give_back(claim)
        assert ledger.claims.renew(again)

    def test_behind_all_others(self, ledger: Ledger) -> None:
        first, second = ledger.submit(), ledger.submit()
        claim = ledger.next_claim()
        assert ledger.claims.give_back(claim, behind=True)
        assert ledger.item(claim).attempts == 0
        assert [ledger.next_claim().task for _ in range(2)] == [second.uid, first.uid]


class TestByItsOwner:
    @pytest.mark.parametrize(("died", "attempts"), [(False, 0), (True, 1)])
    def test_everything_that_the_worker_held(self, ledger: Ledger, died: bool, attempts: int) -> None:
        ledger.submit(item_count=4)
        held = [ledger.next_claim(owner="gone"), ledger.next_claim(owner="gone")]
        other = ledger.next_claim(owner="alive")
        assert ledger.claims.give_back_owned("gone", died=died) == 2
        items = [ledger.item(claim) for claim in held]
        assert [(item.state, item.attempts) for item in items] == [(ItemState.QUEUED, attempts)] * 2
        assert ledger.claims.renew(other)
        assert [ledger.next_claim().index for _ in range(3)] == [0, 1, 3]

    def test_a_picture_that_kills_its_workers_fails_at_last(self, ledger: Ledger) -> None:
        ledger = ledger.limited(max_attempts=3)
        ledger.accounts.grant("alice", 10)
        ledger.submit(price=4)
        for attempt in (1, 2, 3):
            claim = ledger.next_claim(owner="gone")
            assert claim.attempt == attempt
            taken = ledger.claims.give_back_owned("gone", died=True)
            assert taken == 1
            assert spent_sources(ledger) == ({claim.source} if attempt == 3 else set())
        assert ledger.error(claim).kind == "worker_lost"
        assert "died in each of 3 attempts" in ledger.error(claim).message
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert not ledger.claims.fail(claim, ERROR)

    @pytest.mark.parametrize("died", [False, True])
    def test_what_was_held_until_the_hard_deadline_fails(self, ledger: Ledger, died: bool) -> None:
        ledger = ledger.limited(lease_seconds=15, job_timeout_seconds=20)
        silent, hung = ledger.claimed_items(item_count=2)
        ledger.clock.advance(seconds=10)
        assert ledger.claims.renew(hung, Phase.COMPUTING)
        ledger.clock.advance(seconds=11)
        assert ledger.claims.give_back_owned(hung.owner, died=died) == 2
        assert spent_sources(ledger) == {hung.source}
        assert ledger.error(hung).kind == "timed_out"
        assert ledger.item(silent).state is ItemState.QUEUED


class TestBecauseOfAFault:
    """A worker that does other pictures failed on this one: another may do better."""

    def test_the_attempt_counts_and_the_item_goes_behind_all_others(self, ledger: Ledger) -> None:
        first, _ = ledger.submit(), ledger.submit()
        claim = ledger.next_claim()
        assert [ledger.claims.give_back(claim, ERROR) for _ in range(2)] == [True, True]
        assert (ledger.item(claim).state, ledger.item(claim).attempts) == (ItemState.QUEUED, 1)
        order = [ledger.next_claim() for _ in range(2)]
        assert order[1].task == first.uid
        assert order[1].attempt == 2

    def test_after_two_workers_it_ends_with_what_went_wrong(self, ledger: Ledger) -> None:
        ledger.submit()
        for owner in ("w1", "w1", "w2"):
            claim = ledger.next_claim(owner=owner)
            assert ledger.claims.give_back(claim, ERROR)
        assert ledger.error(claim) == ERROR
        assert ledger.strikes(claim.account) == 1

    def test_when_the_attempts_are_used_up_it_ends_with_what_went_wrong(self, ledger: Ledger) -> None:
        ledger = ledger.limited(max_attempts=2)
        ledger.accounts.grant("alice", 10)
        ledger.submit(price=4)
        for _ in range(2):
            claim = ledger.next_claim()
            assert ledger.claims.give_back(claim, ERROR)
        assert ledger.error(claim) == ERROR
        assert ledger.claims.give_back(claim, ERROR)  # the reply was lost
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert spent_sources(ledger) == {claim.source}

    def test_a_claim_that_is_over_has_no_effect(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        ledger.done(claim)
        assert not ledger.claims.give_back(claim, ERROR)

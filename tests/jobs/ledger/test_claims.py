"""Tests of CLAIM, RENEW, FINISH, FAIL and GIVE_BACK: who holds an item, and how it ends."""

from dataclasses import replace

import pytest

from cutgate.jobs.answers import Balance
from cutgate.jobs.ids import new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import Presence
from cutgate.jobs.record import ItemState, Phase, Request, TaskStatus
from tests.fakes import ManualClock
from tests.jobs import every_script
from tests.jobs.build import (
    DELIVERIES,
    ERROR,
    LANE,
    OTHER_LANE,
    OTHER_SPEC,
    Ledger,
    result_of,
)
from tests.ledgers import kept_sources, spent_sources
from tests.waiting import PATIENCE_SECONDS


class TestClaim:
    def test_it_hands_over_the_item(self, ledger: Ledger) -> None:
        task = ledger.submit()
        claim = ledger.claims.take([LANE], "worker-7", "token-1234")
        assert claim is not None
        assert (claim.task, claim.index, claim.attempt) == (task.uid, 0, 1)
        assert (claim.owner, claim.token) == ("worker-7", "token-1234")
        assert (claim.spec, claim.source) == (task.items[0].spec, task.items[0].source)
        assert claim.deadline_in_seconds == LedgerLimits().job_timeout_seconds
        assert ledger.waiting(LANE) == 0
        item = ledger.item(claim)
        assert (item.state, item.attempts) == (ItemState.RUNNING, 1)

    def test_only_its_lanes_in_order_of_preference(self, ledger: Ledger) -> None:
        others = [ledger.submit(spec=OTHER_SPEC).uid for _ in range(2)]
        assert ledger.no_claim()
        mine = ledger.submit().uid
        claims = [ledger.claims.take([OTHER_LANE, LANE], "worker-1", new_token()) for _ in range(3)]
        assert [claim and claim.task for claim in claims] == [*others, mine]

    def test_a_repeat_has_the_same_item(self, ledger: Ledger) -> None:
        ledger.submit(item_count=2)
        token = new_token()
        first, again = ledger.claims.take([LANE], "w", token), ledger.claims.take([LANE], "w", token)
        assert first is not None
        assert again is not None
        assert again.deadline_in_seconds == pytest.approx(first.deadline_in_seconds, abs=5)
        assert replace(again, deadline_in_seconds=first.deadline_in_seconds) == first
        assert ledger.item(first).attempts == 1
        assert ledger.waiting(LANE) == 1


class TestRenew:
    @pytest.fixture
    def limits(self) -> LedgerLimits:
        return LedgerLimits(lease_seconds=15, job_timeout_seconds=60)

    def test_a_repeated_claim_says_what_is_left(self, ledger: Ledger) -> None:
        ledger.submit()
        token = new_token()
        ledger.claims.take([LANE], "worker-1", token)
        ledger.clock.advance(seconds=20)
        again = ledger.claims.take([LANE], "worker-1", token)
        assert again is not None
        assert again.deadline_in_seconds == pytest.approx(40, abs=5)


class TestEnd:
    def test_what_was_done_is_counted_of_every_account(self, ledger: Ledger) -> None:
        done, failed, again = ledger.claimed_items(item_count=3, price=3)
        assert ledger.booked("alice") == 0
        ledger.done(done)
        ledger.done(done)
        ledger.claims.fail(failed, ERROR)
        assert ledger.booked("alice") == 3
        assert ledger.accounts.balance("alice") is None
        # What was done before the account was metered is not charged afterwards.
        assert ledger.accounts.grant("alice", 10) == Balance(granted=10, used=0, reserved=0)
        ledger.done(again)
        assert (ledger.booked("alice"), ledger.booked("bob")) == (6, 0)

    def test_an_end_is_final(self, ledger: Ledger) -> None:
        done, failed = ledger.claimed_items(item_count=2)
        ledger.done(done)
        ledger.claims.fail(failed, ERROR)
        assert not ledger.claims.fail(done, ERROR)
        assert not ledger.done(failed)
        assert not ledger.done(replace(done, token=new_token()))
        for claim in (done, failed):
            assert not ledger.claims.renew(claim)
            assert not ledger.claims.give_back(claim)
        assert ledger.item(done).result == result_of(done)
        assert ledger.error(failed) == ERROR

    def test_a_foreign_token_has_no_effect(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 2)
        claim, other = ledger.claimed_items(item_count=2)
        for foreign in (
            replace(claim, token=new_token()),
            replace(claim, index=other.index),
            replace(claim, index=7),
        ):
            assert not ledger.claims.renew(foreign)
            assert not ledger.claims.give_back(foreign)
            assert not ledger.done(foreign)
            assert not ledger.claims.fail(foreign, ERROR)
        assert ledger.item(claim).state is ledger.item(other).state is ItemState.RUNNING
        assert ledger.accounts.balance("alice") == Balance(granted=2, used=0, reserved=2)


def test_the_status_follows_the_items(ledger: Ledger) -> None:
    task = ledger.submit(item_count=2)

    def status() -> tuple[TaskStatus, bool]:
        return ledger.task(task.uid).status, ledger.task(task.uid).ended_at_ms is not None

    seen = [status()]
    first = ledger.next_claim()
    seen.append(status())
    ledger.done(first)
    seen.append(status())
    ledger.claims.fail(ledger.next_claim(), ERROR)
    seen.append(status())
    assert seen == [
        (TaskStatus.QUEUING, False),
        (TaskStatus.RUNNING, False),
        (TaskStatus.RUNNING, False),
        (TaskStatus.FINISHED, True),
    ]


def test_a_claim_that_comes_late_once_more_takes_nothing(ledger: Ledger) -> None:
    """Its caller has gone on: what it took would lie there until its lease is over."""
    claim = ledger.claimed(item_count=2)
    assert ledger.done(claim)
    assert ledger.claims.take([LANE], "worker-1", claim.token) is None
    ledger.clock.advance(seconds=61)
    assert ledger.claims.take([LANE], "worker-1", claim.token) is not None


def test_an_index_that_names_what_is_not_there_is_mended(ledger: Ledger) -> None:
    """An account without items, and an item without a record."""
    ledger.submit()
    ledger.client.zadd(f"{ledger.key_prefix}turns:{LANE}", {"nobody": -2, "somebody": -1})
    ledger.client.zadd(f"{ledger.key_prefix}waiting:{LANE}/somebody", {"gone:0": 1})
    assert ledger.next_claim().account == "alice"
    assert ledger.no_claim()
    assert not ledger.client.exists(f"{ledger.key_prefix}turns:{LANE}")


# What is known of the request that made a task: it reaches workers and couriers, and nobody depends on it.

REQUEST = Request(uuid="r-1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def test_a_claim_says_who_pays_and_which_request_asked(ledger: Ledger) -> None:
    claim = ledger.claimed(account="bob", request=REQUEST)
    assert (claim.account, claim.request) == ("bob", REQUEST)


def test_a_claim_says_how_long_its_item_waited(ledger: Ledger) -> None:
    ledger.submit()
    ledger.clock.advance(1_000)
    token = new_token()
    first = ledger.claims.take([LANE], "worker-1", token)
    ledger.clock.advance(1)
    again = ledger.claims.take([LANE], "worker-1", token)
    assert first is not None
    assert again is not None
    assert first.waited_seconds == again.waited_seconds
    assert first.waited_seconds == pytest.approx(1_000, abs=PATIENCE_SECONDS)
    assert ledger.claims.give_back(first)
    assert ledger.next_claim().waited_seconds < PATIENCE_SECONDS


def test_errands_say_it_too(ledger: Ledger) -> None:
    fetch = ledger.fetching(deliveries=DELIVERIES, request=REQUEST)
    assert fetch.request == REQUEST
    assert ledger.errands.fetched(fetch)
    assert ledger.done(ledger.next_claim())
    assert [ledger.next_errand().request for _ in DELIVERIES] == [REQUEST] * len(DELIVERIES)


# Who is alive.


WORKER = replace(every_script.WORKER, owner="host-1:4711")


def test_announcing_again_prolongs_and_replaces(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    clock.advance(seconds=6)
    presence.announce(replace(WORKER, threads=8), ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (replace(WORKER, threads=8),)
    clock.advance(seconds=5)
    assert presence.alive() == ()


def test_a_worker_of_several_lanes_is_alive_in_each(presence: Presence, clock: ManualClock) -> None:
    other = replace(WORKER, lane=OTHER_LANE, model="u2netp")
    neighbour = replace(WORKER, owner="host-1:47112")
    for worker in (neighbour, other, WORKER):
        presence.announce(worker, ttl_seconds=10)
    assert presence.alive() == (WORKER, other, neighbour)
    clock.advance(seconds=6)
    presence.announce(other, ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (other,)


def test_who_leaves_is_gone_from_every_lane(presence: Presence) -> None:
    neighbour = replace(WORKER, owner="host-1:47112")
    for worker in (WORKER, replace(WORKER, lane=OTHER_LANE), neighbour):
        presence.announce(worker, ttl_seconds=10)
    presence.leave(WORKER.owner)
    presence.leave("nobody")
    assert presence.alive() == (neighbour,)


def test_a_lane_counts_as_offered_for_a_while(presence: Presence, clock: ManualClock) -> None:
    assert presence.offered(within_seconds=60) == frozenset()
    presence.announce(WORKER, ttl_seconds=10)
    presence.announce(replace(WORKER, lane=OTHER_LANE), ttl_seconds=10)
    presence.leave(WORKER.owner)
    clock.advance(seconds=50)
    presence.announce(WORKER, ttl_seconds=10)
    assert presence.offered(within_seconds=60) == {LANE, OTHER_LANE}
    clock.advance(seconds=20)
    assert presence.offered(within_seconds=60) == {LANE}
    assert presence.offered(within_seconds=1) == frozenset()


# GIVE_BACK: an item goes back to its old place, by its worker or by the worker's parent.


class TestByTheWorker:
    def test_a_repeat_answers_as_the_first_time(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        assert ledger.claims.give_back(claim)
        assert ledger.claims.give_back(claim)
        assert (ledger.waiting(LANE), ledger.item(claim).attempts) == (1, 0)
        again = ledger.next_claim()
        assert ledger.claims.give_back(claim)
        assert ledger.claims.renew(again)


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
            assert kept_sources(ledger, claim.task) == ({claim.source} if attempt == 3 else set())
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

    def test_after_two_workers_it_ends_with_what_went_wrong(self, ledger: Ledger) -> None:
        ledger.submit()
        for owner in ("w1", "w1", "w2"):
            claim = ledger.next_claim(owner=owner)
            assert ledger.claims.give_back(claim, ERROR)
        assert ledger.error(claim) == ERROR
        assert ledger.strikes(claim.account) == 1

    def test_a_worker_without_its_storage_puts_it_behind_all_others(self, ledger: Ledger) -> None:
        first, second = ledger.submit(), ledger.submit()
        claim = ledger.next_claim()
        assert ledger.claims.give_back(claim, behind=True)
        assert ledger.item(claim).attempts == 0
        assert [ledger.next_claim().task for _ in range(2)] == [second.uid, first.uid]

    def test_the_attempt_counts_and_the_item_goes_behind_all_others(self, ledger: Ledger) -> None:
        first, _ = ledger.submit(), ledger.submit()
        claim = ledger.next_claim()
        assert [ledger.claims.give_back(claim, ERROR) for _ in range(2)] == [True, True]
        assert (ledger.item(claim).state, ledger.item(claim).attempts) == (ItemState.QUEUED, 1)
        order = [ledger.next_claim() for _ in range(2)]
        assert order[1].task == first.uid
        assert order[1].attempt == 2

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

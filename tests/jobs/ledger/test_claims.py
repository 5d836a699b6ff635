"""CLAIM, RENEW, FINISH and FAIL: who holds an item, for how long, and how it ends."""

from dataclasses import replace

import pytest

from cutgate.jobs.answers import Balance
from cutgate.jobs.ids import new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import BlobStore, Presence
from cutgate.jobs.record import Claim, ItemState, Request, TaskStatus
from tests.fakes import ManualClock
from tests.jobs import every_script
from tests.jobs.build import (
    DELIVERIES,
    ERROR,
    LANE,
    LIMITS,
    OTHER_LANE,
    OTHER_SPEC,
    Ledger,
    result_of,
    run_at_once,
)
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

    def test_many_at_once_share_no_item(self, ledger: Ledger) -> None:
        ledger.submit(item_count=12)
        claims = run_at_once(20, lambda _: ledger.claims.take([LANE], "worker-1", new_token()))
        assert sorted(claim.index for claim in claims if claim is not None) == list(range(12))


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
    def test_finish_keeps_the_result_and_books(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        claim = ledger.claimed(price=3)
        assert ledger.done(claim)
        item = ledger.item(claim)
        assert (item.state, item.result, item.error) == (ItemState.DONE, result_of(claim), None)
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=3, reserved=0)
        assert ledger.task(claim.task).booked == 3

    def test_fail_keeps_the_error_and_releases(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        claim = ledger.claimed(price=3)
        assert ledger.claims.fail(claim, ERROR)
        item = ledger.item(claim)
        assert (item.state, item.result, item.error) == (ItemState.FAILED, None, ERROR)
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)

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


@pytest.mark.parametrize("late_is_first", [True, False])
def test_a_late_finisher_overwrites_nothing(ledger: Ledger, file_blobs: BlobStore, late_is_first: bool) -> None:
    """A worker that lost its claim and does not know it yet disturbs nobody with what it writes."""
    late = ledger.claimed()
    file_blobs.put(late.source, b"source")
    ledger.clock.advance(seconds=LIMITS.lease_seconds + 1)
    ledger.upkeep.reap()
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


# Who is alive.


WORKER = replace(every_script.WORKER, owner="host-1:4711")


def test_who_announces_itself_is_alive_by_owner(presence: Presence) -> None:
    assert presence.alive() == ()
    other = replace(WORKER, owner="a-host:1")
    presence.announce(WORKER, ttl_seconds=10)
    presence.announce(other, ttl_seconds=10)
    assert presence.alive() == (other, WORKER)


def test_announcing_again_prolongs_and_replaces(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=10)
    clock.advance(seconds=6)
    presence.announce(replace(WORKER, threads=8), ttl_seconds=10)
    clock.advance(seconds=6)
    assert presence.alive() == (replace(WORKER, threads=8),)
    clock.advance(seconds=5)
    assert presence.alive() == ()


def test_one_silent_worker_takes_no_other_along(presence: Presence, clock: ManualClock) -> None:
    presence.announce(WORKER, ttl_seconds=5)
    other = replace(WORKER, owner="a-host:1")
    presence.announce(other, ttl_seconds=50)
    clock.advance(seconds=20)
    assert presence.alive() == (other,)


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

"""What is asked of the ledger: several tasks at once, an account's open tasks, a repeated request's task."""

import time
from dataclasses import replace

import pytest
from redis import Redis

from cutgate.jobs.errors import IdempotencyConflict
from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger.answers import Created
from cutgate.jobs.ledger.redis.ledger import READ_AT_ONCE
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import MAX_MEMO_BYTES, Idempotency
from tests.jobs.build import Ledger, new_task

KEY = Idempotency(key="order-7", content_digest="abc")


class TestGetMany:
    def test_in_the_order_of_the_ids(self, ledger: Ledger) -> None:
        tasks = [ledger.submit(item_count=count) for count in (1, 3, 2)]
        uids = [tasks[2].uid, tasks[0].uid, tasks[1].uid, tasks[0].uid]
        assert ledger.get_many(uids, "alice") == tuple(ledger.get(uid, "alice") for uid in uids)

    def test_none_for_what_the_account_does_not_have(self, ledger: Ledger) -> None:
        task, foreign = ledger.submit(), ledger.submit(account="bob")
        answers = ledger.get_many([new_task_uid(), task.uid, foreign.uid], "alice")
        assert [answer and answer.uid for answer in answers] == [None, task.uid, None]


def test_what_is_unfinished_the_oldest_first(ledger: Ledger) -> None:
    tasks = [ledger.submit() for _ in range(12)]
    ledger.submit(account="bob")
    assert ledger.unfinished("alice") == tuple(task.uid for task in tasks)
    assert ledger.unfinished("nobody") == ()


class TestRecallAndName:
    """Both find the task of a repeated request; its content counts for one of them."""

    def test_the_first_task(self, ledger: Ledger) -> None:
        assert (ledger.recall("alice", KEY), ledger.named("alice", KEY.key)) == (None, None)
        task = ledger.submit(idempotency=KEY)
        assert ledger.create(new_task(idempotency=KEY)) == Created(uid=task.uid, repeated=True)
        assert ledger.recall("alice", KEY) == ledger.named("alice", KEY.key) == task.uid
        with pytest.raises(IdempotencyConflict):
            ledger.recall("alice", replace(KEY, content_digest="other"))

    def test_nothing_else(self, ledger: Ledger) -> None:
        ledger.submit(account="bob", idempotency=KEY)
        assert (ledger.recall("alice", KEY), ledger.named("alice", KEY.key)) == (None, None)
        assert ledger.named("bob", "order-8") is None

    def test_not_past_its_time(self, ledger: Ledger) -> None:
        ledger = ledger.limited(idempotency_seconds=60)
        task = ledger.submit(idempotency=KEY)
        ledger.clock.advance(seconds=59)
        assert ledger.recall("alice", KEY) == ledger.named("alice", KEY.key) == task.uid
        ledger.clock.advance(seconds=2)
        assert ledger.recall("alice", KEY) is None

    def test_a_name_lives_as_long_as_its_task(self, ledger: Ledger) -> None:
        """Results that are there can be asked for, however short the time in which a repeat counts."""
        ledger = ledger.limited(idempotency_seconds=0.05, retention_seconds=1_000)
        task = ledger.submit(idempotency=KEY)
        time.sleep(0.06)
        assert ledger.named("alice", KEY.key) == task.uid
        ledger.done(ledger.next_claim())
        ledger.clock.advance(seconds=999)
        assert ledger.named("alice", KEY.key) == task.uid
        ledger.clock.advance(seconds=2)
        assert ledger.named("alice", KEY.key) is None

    def test_a_name_is_not_kept_for_ever(self, ledger: Ledger) -> None:
        limits = LedgerLimits(
            queue_timeout_seconds=50, job_timeout_seconds=10, max_attempts=2, retention_seconds=900
        )
        assert replace(limits, idempotency_seconds=600).name_seconds == 1_020
        assert replace(limits, idempotency_seconds=6_000).name_seconds == 6_000


class TestMemo:
    def test_it_comes_back_with_the_task(self, ledger: Ledger) -> None:
        memo = '{"taskUUID": "ä", "n": [1, 2]}\r\n\x00\U0001f511'
        task, bare = replace(new_task(), memo=memo), new_task()
        ledger.create(task)
        ledger.create(bare)
        assert [stored and stored.memo for stored in ledger.get_many([task.uid, bare.uid], "alice")] == [memo, ""]

    def test_it_has_a_limit_in_bytes(self, ledger: Ledger) -> None:
        task = replace(new_task(), memo="ä" * (MAX_MEMO_BYTES // 2))
        ledger.create(task)
        assert ledger.task(task.uid).memo == task.memo
        with pytest.raises(ValueError, match="at most 65536 bytes"):
            replace(task, memo=f"{task.memo}.")


class TestRetention:
    """A task past its retention looks as if it had never been, swept or not."""

    @pytest.fixture
    def limits(self) -> LedgerLimits:
        return LedgerLimits(retention_seconds=100, idempotency_seconds=10_000)

    def test_no_read_sees_it(self, ledger: Ledger) -> None:
        task = ledger.submit(idempotency=KEY)
        ledger.done(ledger.next_claim())
        ledger.clock.advance(seconds=99)
        assert ledger.get(task.uid, "alice") is not None
        assert ledger.recall("alice", KEY) == task.uid
        ledger.clock.advance(seconds=2)
        assert ledger.get(task.uid, "alice") is None
        assert ledger.get_many([task.uid], "alice") == (None,)
        assert ledger.recall("alice", KEY) is None
        assert ledger.named("alice", KEY.key) is None
        assert not ledger.terminate(task.uid, "alice")

    def test_its_idempotency_key_can_be_used_again(self, ledger: Ledger) -> None:
        ledger.done(ledger.claimed(idempotency=KEY))
        ledger.clock.advance(seconds=101)
        again = new_task(idempotency=replace(KEY, content_digest="other"))
        assert not ledger.create(again).repeated
        assert ledger.recall("alice", replace(KEY, content_digest="other")) == again.uid


def test_many_are_read_some_at_a_time_and_duplicates_once(ledger: Ledger, client: Redis) -> None:
    """One script must not hold the server for longer than a few milliseconds."""
    tasks = [ledger.submit().uid for _ in range(3 * READ_AT_ONCE)]
    before = calls_of_scripts(client)
    found = ledger.get_many([*tasks, *tasks], "alice")
    assert calls_of_scripts(client) - before == 3
    assert [task.uid for task in found if task is not None] == [*tasks, *tasks]


def test_which_have_ended_is_told_without_reading_them(ledger: Ledger) -> None:
    waiting, done = ledger.submit().uid, ledger.ended_task().uid
    foreign, unknown = ledger.submit(account="bob").uid, new_task_uid()
    assert ledger.ended([waiting, done, done, foreign, unknown], "alice") == (done, foreign, unknown)


def calls_of_scripts(client: Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])

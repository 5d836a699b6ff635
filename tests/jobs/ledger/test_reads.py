"""What is asked of the ledger: several tasks at once, an account's open tasks, a repeated request's task."""

import time
from dataclasses import replace

import pytest
from redis import Redis

from cutgate.jobs.answers import Created, Outlook
from cutgate.jobs.errors import IdempotencyConflict
from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.ledger.tasks import READ_AT_ONCE
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import MAX_MEMO_BYTES, Idempotency, ItemState, KnownKey, RateUse, TaskStatus
from tests.jobs.build import Ledger, new_task

KEY = Idempotency(key="order-7", content_digest="abc")


class TestGetMany:
    def test_in_the_order_of_the_ids(self, ledger: Ledger) -> None:
        [one], [three], [two] = (done(ledger, 1, item_count=count) for count in (1, 3, 2))
        uids = [two, one, three, one]
        found = ledger.tasks.get_many(uids, "alice")
        assert found == tuple(ledger.tasks.get(uid, "alice") for uid in uids)
        assert [len(task.items) for task in found if task is not None] == [2, 1, 3, 1]

    def test_an_open_task_without_its_items(self, ledger: Ledger) -> None:
        uid = ledger.submit(item_count=3, price=2).uid
        ledger.done(ledger.next_claim())
        ledger.next_claim()
        read, [listed] = ledger.task(uid), ledger.tasks.get_many([uid], "alice")
        assert [item.state for item in read.items] == [ItemState.DONE, ItemState.RUNNING, ItemState.QUEUED]
        assert listed == replace(read, items=())
        assert (listed.status, listed.booked) == (TaskStatus.RUNNING, 2)

    def test_none_for_what_the_account_does_not_have(self, ledger: Ledger) -> None:
        task, foreign = ledger.submit(), ledger.submit(account="bob")
        answers = ledger.tasks.get_many([new_task_uid(), task.uid, foreign.uid], "alice")
        assert [answer and answer.uid for answer in answers] == [None, task.uid, None]


class TestPoll:
    """A request for tasks is counted and answered in one step."""

    USE = RateUse(name="poll:alice", limit=2, seconds=1_000)

    def test_it_reads_what_get_many_reads(self, ledger: Ledger) -> None:
        uids = [ledger.submit().uid, *done(ledger, 1), new_task_uid(), ledger.submit(account="bob").uid]
        outlook, found = ledger.tasks.poll(uids, "alice", use=self.USE)
        assert found == ledger.tasks.get_many(uids, "alice")
        assert (outlook.allowance and outlook.allowance.remaining) == 1

    def test_more_than_one_script_reads_count_once(self, ledger: Ledger, client: Redis) -> None:
        uids = [ledger.submit().uid for _ in range(READ_AT_ONCE + 1)]
        before = calls_of(client, "evalsha")
        outlook, found = ledger.tasks.poll(uids, "alice", use=self.USE)
        assert [task and task.uid for task in found] == uids
        assert (outlook.allowance and outlook.allowance.remaining) == 1
        assert calls_of(client, "evalsha") == (before[0] + 2,)

    def test_one_too_many_reads_nothing(self, ledger: Ledger, client: Redis) -> None:
        uids = [ledger.submit().uid for _ in range(READ_AT_ONCE + 1)]
        ledger.tasks.poll(uids, "alice", use=replace(self.USE, weight=2))
        before = calls_of(client, "evalsha", "hmget")
        outlook, found = ledger.tasks.poll(uids, "alice", use=self.USE)
        assert (outlook.allowance and outlook.allowance.granted, found) == (False, ())
        assert calls_of(client, "evalsha", "hmget") == (before[0] + 1, before[1])

    def test_a_key_that_is_not_what_was_known_reads_nothing_and_does_not_count(self, ledger: Ledger) -> None:
        uid = ledger.submit(idempotency=KEY).uid
        key = KnownKey(name="k", version="v")
        assert ledger.tasks.poll([uid], "alice", use=self.USE, key=key) == (Outlook(key_changed=True), ())
        assert ledger.tasks.poll_named(KEY.key, "alice", use=self.USE, key=key) == (
            Outlook(key_changed=True),
            None,
        )
        outlook, task = ledger.tasks.poll_named(KEY.key, "alice", use=self.USE)
        assert (outlook.allowance and outlook.allowance.remaining, task and task.uid) == (1, uid)


def test_what_is_unfinished_the_oldest_first(ledger: Ledger) -> None:
    tasks = [ledger.submit() for _ in range(12)]
    ledger.submit(account="bob")
    assert ledger.tasks.unfinished("alice") == tuple(task.uid for task in tasks)
    assert ledger.tasks.unfinished("nobody") == ()


class TestRecallAndName:
    """Both find the task of a repeated request; its content counts for one of them."""

    def test_the_first_task(self, ledger: Ledger) -> None:
        assert (ledger.recall("alice", KEY), ledger.named("alice", KEY.key)) == (None, None)
        task = ledger.submit(idempotency=KEY)
        assert ledger.tasks.create(new_task(idempotency=KEY)) == Created(uid=task.uid, repeated=True)
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
        ledger.clock.advance(seconds=30)
        assert ledger.recall("alice", KEY) == ledger.named("alice", KEY.key) == task.uid
        ledger.clock.advance(seconds=31)
        assert ledger.recall("alice", KEY) is None

    def test_a_name_lives_as_long_as_its_task(self, ledger: Ledger) -> None:
        """Results that are there can be asked for, however short the time in which a repeat counts."""
        ledger = ledger.limited(idempotency_seconds=0.05, retention_seconds=1_000)
        task = ledger.submit(idempotency=KEY)
        time.sleep(0.06)
        assert ledger.named("alice", KEY.key) == task.uid
        ledger.done(ledger.next_claim())
        ledger.clock.advance(seconds=940)
        assert ledger.named("alice", KEY.key) == task.uid
        ledger.clock.advance(seconds=61)
        assert ledger.named("alice", KEY.key) is None

    def test_a_name_is_not_kept_for_ever(self, ledger: Ledger) -> None:
        limits = LedgerLimits(
            queue_timeout_seconds=50, job_timeout_seconds=10, max_attempts=2, retention_seconds=900
        )
        assert limits.model_copy(update={"idempotency_seconds": 600}).name_seconds == 1_020
        assert limits.model_copy(update={"idempotency_seconds": 6_000}).name_seconds == 6_000


class TestMemo:
    def test_it_comes_back_with_the_task(self, ledger: Ledger) -> None:
        memo = '{"taskUUID": "ä", "n": [1, 2]}\r\n\x00\U0001f511'
        task, bare = replace(new_task(), memo=memo), new_task()
        ledger.tasks.create(task)
        ledger.tasks.create(bare)
        assert [stored and stored.memo for stored in ledger.tasks.get_many([task.uid, bare.uid], "alice")] == [
            memo,
            "",
        ]

    def test_it_has_a_limit_in_bytes(self, ledger: Ledger) -> None:
        task = replace(new_task(), memo="ä" * (MAX_MEMO_BYTES // 2))
        ledger.tasks.create(task)
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
        ledger.clock.advance(seconds=40)
        assert ledger.tasks.get(task.uid, "alice") is not None
        assert ledger.recall("alice", KEY) == task.uid
        ledger.clock.advance(seconds=61)
        assert ledger.tasks.get(task.uid, "alice") is None
        assert ledger.tasks.get_many([task.uid], "alice") == (None,)
        assert ledger.recall("alice", KEY) is None
        assert ledger.named("alice", KEY.key) is None
        assert not ledger.tasks.terminate(task.uid, "alice")

    def test_its_idempotency_key_can_be_used_again(self, ledger: Ledger) -> None:
        ledger.done(ledger.claimed(idempotency=KEY))
        ledger.clock.advance(seconds=101)
        again = new_task(idempotency=replace(KEY, content_digest="other"))
        assert not ledger.tasks.create(again).repeated
        assert ledger.recall("alice", replace(KEY, content_digest="other")) == again.uid


class TestWhatAReadCosts:
    """A script holds the server for less than a millisecond, whatever is asked for."""

    def test_a_hash_for_each_task_however_many_items_it_has(self, ledger: Ledger, client: Redis) -> None:
        uids = [*done(ledger, 6, item_count=3), *(ledger.submit(item_count=3).uid for _ in range(6))]
        before = calls_of(client, "evalsha", "hmget")
        assert None not in ledger.tasks.get_many([*uids, *uids], "alice")
        assert calls_of(client, "evalsha", "hmget") == (before[0] + 1, before[1] + len(uids))

    def test_long_memos_are_read_in_several_calls(self, ledger: Ledger, client: Redis) -> None:
        tasks = [replace(new_task(), memo="m" * MAX_MEMO_BYTES) for _ in range(6)]
        for task in tasks:
            ledger.tasks.create(task)
        before = calls_of(client, "evalsha")
        assert None not in ledger.tasks.get_many([task.uid for task in tasks], "alice")
        assert calls_of(client, "evalsha") == (before[0] + 3,)

    def test_large_batches_are_read_in_several_calls(self, ledger: Ledger, client: Redis) -> None:
        uids = done(ledger.limited(account_queue_cap=2_000), 7, item_count=200)
        before = calls_of(client, "evalsha")
        assert None not in ledger.tasks.get_many(uids, "alice")
        assert calls_of(client, "evalsha") == (before[0] + 2,)


def test_which_have_ended_is_told_without_reading_them(ledger: Ledger) -> None:
    waiting, done = ledger.submit().uid, ledger.ended_task().uid
    foreign, unknown = ledger.submit(account="bob").uid, new_task_uid()
    assert ledger.tasks.ended([waiting, done, done, foreign, unknown], "alice") == (done, foreign, unknown)


def done(ledger: Ledger, count: int, **facts: int) -> list[TaskUid]:
    """So many tasks of which every item is done."""
    tasks = [ledger.submit(**facts) for _ in range(count)]
    for task in tasks:
        for _ in task.items:
            ledger.done(ledger.next_claim())
    return [task.uid for task in tasks]


def calls_of(client: Redis, *commands: str) -> tuple[int, ...]:
    stats = client.info("commandstats")
    return tuple(int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"]) for command in commands)

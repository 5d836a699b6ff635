"""What is asked of the ledger: several tasks at once, an account's open tasks, a repeated request's task."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.jobs.errors import IdempotencyConflict
from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import MAX_MEMO_BYTES, Idempotency
from tests.fakes import ManualClock
from tests.jobs.build import ERROR, MakeLedger, claim_next, new_task, result_of

KEY = Idempotency(key="order-7", content_digest="abc")


class TestGetMany:
    def test_in_the_order_of_the_ids(self, ledger: RedisLedger) -> None:
        tasks = [new_task(item_count=count) for count in (1, 3, 2)]
        for task in tasks:
            ledger.create(task)
        uids = [tasks[2].uid, tasks[0].uid, tasks[1].uid, tasks[0].uid]
        assert ledger.get_many(uids, "alice") == tuple(ledger.get(uid, "alice") for uid in uids)

    def test_none_for_what_the_account_does_not_have(self, ledger: RedisLedger) -> None:
        task, foreign = new_task(), new_task(account="bob")
        ledger.create(task)
        ledger.create(foreign)
        answers = ledger.get_many([new_task_uid(), task.uid, foreign.uid], "alice")
        assert [answer and answer.uid for answer in answers] == [None, task.uid, None]

    def test_of_nothing(self, ledger: RedisLedger) -> None:
        assert ledger.get_many([], "alice") == ()


class TestUnfinished:
    def test_the_oldest_first(self, ledger: RedisLedger) -> None:
        tasks = [new_task() for _ in range(12)]
        for task in tasks:
            ledger.create(task)
        ledger.create(new_task(account="bob"))
        assert ledger.unfinished("alice") == tuple(task.uid for task in tasks)

    def test_until_the_last_item_has_ended(self, ledger: RedisLedger) -> None:
        task = new_task(item_count=2)
        ledger.create(task)
        done, failed = claim_next(ledger), claim_next(ledger)
        ledger.finish(done, result_of(done))
        assert ledger.unfinished("alice") == (task.uid,)
        ledger.fail(failed, ERROR)
        assert ledger.unfinished("alice") == ()

    def test_of_nobody(self, ledger: RedisLedger) -> None:
        assert ledger.unfinished("nobody") == ()


class TestRecall:
    def test_the_first_task(self, ledger: RedisLedger) -> None:
        task = new_task(idempotency=KEY)
        ledger.create(task)
        assert ledger.recall("alice", KEY) == task.uid

    def test_nothing_is_written(self, ledger: RedisLedger) -> None:
        assert ledger.recall("alice", KEY) is None
        task = new_task(idempotency=KEY)
        assert not ledger.create(task).repeated

    def test_another_accounts_key(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(account="bob", idempotency=KEY))
        assert ledger.recall("alice", KEY) is None

    def test_other_content(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(idempotency=KEY))
        with pytest.raises(IdempotencyConflict):
            ledger.recall("alice", replace(KEY, content_digest="other"))

    def test_it_is_forgotten_in_time(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(LedgerLimits(idempotency_seconds=60))
        ledger.create(new_task(idempotency=KEY))
        clock.advance(seconds=59)
        assert ledger.recall("alice", KEY) is not None
        clock.advance(seconds=2)
        assert ledger.recall("alice", KEY) is None


class TestNamed:
    def test_the_first_task_whatever_its_content(self, ledger: RedisLedger) -> None:
        task = new_task(idempotency=KEY)
        ledger.create(task)
        assert ledger.create(new_task(idempotency=KEY)).repeated
        assert ledger.named("alice", KEY.key) == task.uid

    def test_nothing_else(self, ledger: RedisLedger) -> None:
        ledger.create(new_task(account="bob", idempotency=KEY))
        assert ledger.named("alice", KEY.key) is None
        assert ledger.named("bob", "order-8") is None

    def test_not_past_its_time(self, make_ledger: MakeLedger, clock: ManualClock) -> None:
        ledger = make_ledger(LedgerLimits(idempotency_seconds=60))
        ledger.create(new_task(idempotency=KEY))
        clock.advance(seconds=61)
        assert ledger.named("alice", KEY.key) is None


class TestMemo:
    def test_it_comes_back_with_the_task(self, ledger: RedisLedger) -> None:
        memo = '{"taskUUID": "ä", "n": [1, 2]}\r\n\x00\U0001f511'
        task, bare = replace(new_task(), memo=memo), new_task()
        ledger.create(task)
        ledger.create(bare)
        assert [stored and stored.memo for stored in ledger.get_many([task.uid, bare.uid], "alice")] == [memo, ""]

    def test_it_has_a_limit_in_bytes(self, ledger: RedisLedger) -> None:
        task = replace(new_task(), memo="ä" * (MAX_MEMO_BYTES // 2))
        ledger.create(task)
        stored = ledger.get(task.uid, "alice")
        assert stored is not None
        assert stored.memo == task.memo
        with pytest.raises(ValueError, match="at most 65536 bytes"):
            replace(task, memo=f"{task.memo}.")


class TestRetention:
    """A task past its retention looks as if it had never been, swept or not."""

    LIMITS = LedgerLimits(retention_seconds=100, idempotency_seconds=10_000)

    @pytest.fixture
    def ledger(self, make_ledger: MakeLedger) -> RedisLedger:
        return make_ledger(self.LIMITS)

    def test_no_read_sees_it(self, ledger: RedisLedger, clock: ManualClock) -> None:
        task = new_task(idempotency=KEY)
        ledger.create(task)
        claim = claim_next(ledger)
        ledger.finish(claim, result_of(claim))
        clock.advance(seconds=99)
        assert ledger.get(task.uid, "alice") is not None
        assert ledger.recall("alice", KEY) == task.uid
        clock.advance(seconds=2)
        assert ledger.get(task.uid, "alice") is None
        assert ledger.get_many([task.uid], "alice") == (None,)
        assert ledger.recall("alice", KEY) is None
        assert ledger.named("alice", KEY.key) is None
        assert not ledger.terminate(task.uid, "alice")

    def test_its_idempotency_key_can_be_used_again(self, ledger: RedisLedger, clock: ManualClock) -> None:
        ledger.create(new_task(idempotency=KEY))
        claim = claim_next(ledger)
        ledger.finish(claim, result_of(claim))
        clock.advance(seconds=101)
        again = new_task(idempotency=replace(KEY, content_digest="other"))
        assert not ledger.create(again).repeated
        assert ledger.recall("alice", replace(KEY, content_digest="other")) == again.uid

    def test_an_open_task_stays(self, ledger: RedisLedger, clock: ManualClock) -> None:
        task = new_task()
        ledger.create(task)
        clock.advance(seconds=10_000)
        assert ledger.get(task.uid, "alice") is not None

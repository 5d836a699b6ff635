"""A reply is lost after the script took effect: the client sends it again and must get the first answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import pytest
from redis import Redis

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.answers import Balance, Created, Leftovers, Reaped
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, NewTask
from tests.fakes import ManualClock
from tests.jobs.build import (
    DELIVERIES,
    ERROR,
    LANE,
    URL,
    claim_next,
    item_of,
    new_task,
    new_upload,
    result_of,
    take_errand,
)
from tests.servers.relay import LossyRelay, lossy_relay

ReplyLost: TypeAlias = Callable[..., AbstractContextManager[None]]


REAPER = "reaper-1"


@pytest.fixture
def proxy(redis_url: str) -> Iterator[LossyRelay]:
    with lossy_relay(redis_url) as proxy:
        yield proxy


@pytest.fixture
def ledger(proxy: LossyRelay, key_prefix: str, clock: ManualClock) -> Iterator[RedisLedger]:
    """Each script ran once, so that the server knows it and the next call is one round trip."""
    with connect(proxy.url) as through_proxy:
        ledger = RedisLedger(through_proxy, LedgerLimits(), key_prefix=key_prefix, clock_offset_ms=clock.offset_ms)
        ledger.grant("alice", 10)
        ledger.create(new_task(item_count=2, price=0))
        done, failed = claim_next(ledger), claim_next(ledger)
        assert ledger.renew(done)
        assert ledger.finish(done, result_of(done))
        assert ledger.fail(failed, ERROR)
        assert ledger.terminate(done.task, "alice")
        assert not ledger.give_back(done)
        assert ledger.give_back_owned("worker-1", died=True).items == 0
        assert ledger.reap(REAPER, {}) == Reaped()
        _go_through_errands_and_uploads(ledger)
        yield ledger


def _go_through_errands_and_uploads(ledger: RedisLedger) -> None:
    ledger.create(new_task(item_count=3, price=0, source_url=URL, deliveries=DELIVERIES))
    assert ledger.postpone(take_errand(ledger), seconds=10_000)
    assert ledger.fetched(take_errand(ledger))
    fetch = take_errand(ledger)
    assert ledger.fetch_failed(fetch, ERROR)
    assert ledger.terminate(fetch.task, "alice")
    for _ in DELIVERIES:
        assert ledger.errand_done(take_errand(ledger))
    ledger.create(new_task(price=0, source_url=URL, keep=True))
    assert ledger.kept(take_errand(ledger), new_upload())
    upload = new_upload()
    ledger.keep_upload(upload)
    assert ledger.use_upload(upload.uid, "alice")
    assert ledger.drop_upload(upload.uid, "alice")


@pytest.fixture
def reply_lost(proxy: LossyRelay, client: Redis) -> ReplyLost:
    """A block in which one reply is lost and its script therefore runs twice."""

    def script_count() -> int:
        return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])

    @contextmanager
    def lose(after: int = 0) -> Iterator[None]:
        before = script_count()
        proxy.lose_next_reply(after)
        yield
        assert proxy.lost_count == 1
        assert script_count() - before == 2

    return lose


def _claimed(ledger: RedisLedger) -> Claim:
    ledger.create(new_task(price=4))
    return claim_next(ledger)


def test_create(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    task = new_task(item_count=2)
    with reply_lost():
        assert ledger.create(task) == Created(uid=task.uid, repeated=False)
    assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=2)
    assert ledger.waiting(LANE) == 2


def test_claim(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    ledger.create(new_task(item_count=2))
    with reply_lost():
        claim = ledger.claim([LANE], "worker-1", new_token())
    assert claim is not None
    assert (claim.index, claim.attempt) == (0, 1)
    assert ledger.waiting(LANE) == 1


def test_renew(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    claim = _claimed(ledger)
    with reply_lost():
        assert ledger.renew(claim)


def test_finish(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    claim = _claimed(ledger)
    with reply_lost():
        assert ledger.finish(claim, result_of(claim))
    assert ledger.balance("alice") == Balance(granted=10, used=4, reserved=0)


def test_fail(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    claim = _claimed(ledger)
    with reply_lost():
        assert ledger.fail(claim, ERROR)
    assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=0)


def test_terminate(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    claim = _claimed(ledger)
    with reply_lost():
        left = ledger.terminate(claim.task, "alice")
    assert left == Leftovers(sources=(claim.source,))
    assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=0)
    assert not ledger.fail(claim, ERROR)


def test_give_back(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    claim = _claimed(ledger)
    with reply_lost():
        assert ledger.give_back(claim)
    assert (ledger.waiting(LANE), item_of(ledger, claim).attempts) == (1, 0)


def test_give_back_by_owner(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    claim = _claimed(ledger)
    with reply_lost():
        assert ledger.give_back_owned(claim.owner, died=True).items == 1
    assert (ledger.waiting(LANE), item_of(ledger, claim).attempts) == (1, 1)


def test_reap(ledger: RedisLedger, reply_lost: ReplyLost, clock: ManualClock) -> None:
    _claimed(ledger)
    clock.advance(seconds=16)
    with reply_lost(after=1):  # the first reply is the server's run_id
        assert ledger.reap(REAPER, {LANE: 0}) == Reaped(requeued=1, hints={LANE: 1})
    assert ledger.waiting(LANE) == 1


def test_grant(ledger: RedisLedger, reply_lost: ReplyLost) -> None:
    with reply_lost():
        assert ledger.grant("alice", 5) == Balance(granted=15, used=0, reserved=0)


class TestErrands:
    @pytest.fixture
    def task(self, ledger: RedisLedger) -> NewTask:
        """Two items that are to be fetched."""
        task = new_task(item_count=2, source_url=URL)
        ledger.create(task)
        return task

    def test_take(self, ledger: RedisLedger, reply_lost: ReplyLost, task: NewTask) -> None:
        with reply_lost():
            errand = take_errand(ledger)
        assert (errand.task, errand.index, errand.attempt) == (task.uid, 0, 1)
        assert ledger.errands_due() == 1

    def test_fetched(self, ledger: RedisLedger, reply_lost: ReplyLost, task: NewTask) -> None:
        errand = take_errand(ledger)
        with reply_lost():
            assert ledger.fetched(errand) == LANE
        assert (ledger.waiting(LANE), claim_next(ledger).source) == (1, errand.source)

    def test_kept(self, ledger: RedisLedger, reply_lost: ReplyLost) -> None:
        ledger.create(new_task(price=3, source_url=URL, keep=True))
        errand, upload = take_errand(ledger), new_upload()
        with reply_lost():
            assert ledger.kept(errand, upload)
        assert ledger.balance("alice") == Balance(granted=10, used=3, reserved=0)
        assert ledger.drop_upload(upload.uid, "alice") == upload

    def test_fetch_failed(self, ledger: RedisLedger, reply_lost: ReplyLost, task: NewTask) -> None:
        errand = take_errand(ledger)
        with reply_lost():
            assert ledger.fetch_failed(errand, ERROR)
        assert ledger.balance("alice") == Balance(granted=10, used=0, reserved=1)

    def test_postpone(self, ledger: RedisLedger, reply_lost: ReplyLost, task: NewTask) -> None:
        errand = take_errand(ledger)
        with reply_lost():
            assert ledger.postpone(errand, seconds=60)
        assert take_errand(ledger).index == 1
        assert ledger.errands_due() == 0

    def test_done(self, ledger: RedisLedger, reply_lost: ReplyLost) -> None:
        ended = new_task(deliveries=DELIVERIES)
        ledger.create(ended)
        assert ledger.terminate(ended.uid, "alice")
        errand = take_errand(ledger)
        with reply_lost():
            assert ledger.errand_done(errand)
        assert ledger.errands_due() == 1


class TestUploads:
    def test_keep(self, ledger: RedisLedger, reply_lost: ReplyLost) -> None:
        upload = new_upload()
        with reply_lost():
            ledger.keep_upload(upload)
        assert ledger.use_upload(upload.uid, "alice") == upload

    def test_use(self, ledger: RedisLedger, reply_lost: ReplyLost) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        with reply_lost():
            assert ledger.use_upload(upload.uid, "alice") == upload

    def test_drop(self, ledger: RedisLedger, reply_lost: ReplyLost) -> None:
        upload = new_upload()
        ledger.keep_upload(upload)
        with reply_lost():
            assert ledger.drop_upload(upload.uid, "alice") == upload
        assert ledger.drop_upload(upload.uid, "alice") is None

"""A walk through every script of the Redis ledger."""

from __future__ import annotations

from cutgate.jobs.ledger.presence import WorkerPresence
from cutgate.jobs.ledger.redis.ledger import RedisLedger, RedisPresence
from cutgate.jobs.record import Claim, Idempotency
from tests.jobs.build import DELIVERIES, ERROR, LANE, URL, claim_next, new_task, new_upload, result_of, take_errand

WORKER = WorkerPresence(owner="w", lane=LANE, model="m", engine="e 1", provider="CPU", dtype="fp32", threads=2)


def go_through_every_script(ledger: RedisLedger, presence: RedisPresence) -> Claim:
    """One task done, one failed, one running, one waiting; returns the running claim. With errands and uploads."""
    ledger.grant("alice", 10)
    for number in range(4):
        ledger.create(new_task(idempotency=Idempotency(key=str(number), content_digest="d")))
    done, failed, running = claim_next(ledger), claim_next(ledger), claim_next(ledger)
    assert ledger.renew(running)
    assert ledger.finish(done, result_of(done))
    assert ledger.fail(failed, ERROR)
    assert ledger.get(done.task, "alice") is not None
    assert ledger.recall("alice", Idempotency(key="0", content_digest="d")) == done.task
    assert ledger.named("alice", "0") == done.task
    go_through_every_errand(ledger)
    go_through_every_upload(ledger)
    ended = new_task()
    ledger.create(ended)
    assert ledger.terminate(ended.uid, "alice")
    assert ledger.reap("reaper-1", {LANE: 0}) is not None
    assert ledger.hide_expired() == ()
    ledger.forget(ended.uid)
    assert ledger.unrecorded([ended.uid], 0) == ()
    assert ledger.figures().booked == 1
    presence.announce(WORKER, ttl_seconds=60)
    assert presence.alive() == (WORKER,)
    assert presence.offered(within_seconds=60) == {LANE}
    presence.leave("nobody")
    return running


def go_through_every_errand(ledger: RedisLedger) -> None:
    """Leaves one that a courier has, and one that is due."""
    ledger.create(new_task(price=0, source_url=URL, keep=True))
    assert ledger.kept(take_errand(ledger), new_upload())
    brought = new_task(source_url=URL, deliveries=DELIVERIES)
    ledger.create(brought)
    assert ledger.fetch_failed(take_errand(ledger), ERROR)
    assert ledger.errands_due() == len(DELIVERIES)
    assert ledger.postpone(take_errand(ledger), seconds=60)
    assert ledger.errand_done(take_errand(ledger))
    ledger.create(new_task(item_count=3, source_url=URL))
    assert ledger.fetched(take_errand(ledger)) == LANE
    take_errand(ledger)


def go_through_every_upload(ledger: RedisLedger) -> None:
    """Leaves one of two."""
    kept, dropped = new_upload(), new_upload()
    for upload in (kept, dropped):
        ledger.keep_upload(upload)
    assert ledger.use_upload(kept.uid, "alice") == kept
    assert ledger.drop_upload(dropped.uid, "alice") == dropped

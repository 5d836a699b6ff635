"""A walk through every script of the Redis ledger."""

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.errors import BlobMissing, DecodingStopped
from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.record import Claim, Idempotency, Joining, RateUse
from tests.jobs.build import DELIVERIES, ERROR, LANE, Ledger, new_upload

WORKER = WorkerPresence(owner="w", lane=LANE, model="m", engine="e 1", provider="CPU", dtype="fp32", threads=2)


def go_through_every_script(ledger: Ledger) -> Claim:
    """One task done, one failed, one running, one waiting; returns the running claim. With errands and uploads."""
    go_through_every_strike(ledger)
    go_through_a_retry(ledger)
    ledger.accounts.grant("alice", 10)
    for number in range(4):
        ledger.submit(idempotency=Idempotency(key=str(number), content_digest="d"))
    assert ledger.accounts.take_rate(RateUse(name="alice", limit=2, seconds=60)).remaining == 1
    done, failed, running = ledger.next_claim(), ledger.next_claim(), ledger.next_claim()
    assert ledger.claims.renew(running)
    assert ledger.done(done)
    assert ledger.claims.fail(failed, ERROR)
    assert not ledger.claims.give_back(done)
    assert ledger.claims.give_back_owned("nobody", died=True) == 0
    assert ledger.tasks.get(done.task, "alice") is not None
    assert ledger.recall("alice", Idempotency(key="0", content_digest="d")) == done.task
    assert ledger.named("alice", "0") == done.task
    joined = ledger.submit(idempotency=Joining(content_digest="d", seconds=60), urgent=True)
    assert ledger.tasks.leave(joined.uid, "alice")
    go_through_every_errand(ledger)
    go_through_every_upload(ledger)
    ended = ledger.ended_task()
    assert ledger.upkeep.reap() is not None
    assert ledger.upkeep.lead("sweep", "one", 60) == 0
    assert ledger.upkeep.lead("sweep", "another", 60) > 0
    assert ledger.upkeep.spent() == ()
    ledger.upkeep.forget_spent([done.source])
    ledger.upkeep.defer([new_task_uid()], 60)
    assert ledger.tasks.ended([done.task], "alice") == (done.task,)
    assert ledger.tasks.get_many([done.task], "alice") == ledger.tasks.poll([done.task], "alice")[1]
    assert [*ledger.tasks.progress([done.task, running.task])] == [done.task, running.task]
    assert ledger.expired() == ()
    assert ledger.upkeep.forget_usage() == 0
    ledger.upkeep.forget([ended.uid])
    assert ledger.upkeep.unrecorded([ended.uid], 0) == ()
    assert ledger.figures().booked == 1
    presence = ledger.presence
    presence.announce(WORKER, ttl_seconds=60)
    assert presence.alive() == (WORKER,)
    assert presence.offered(within_seconds=60) == {LANE}
    presence.leave("nobody")
    return running


def go_through_every_strike(ledger: Ledger) -> None:
    """Leaves an account that is held back."""
    stopped = DecodingStopped("the picture breaks its decoder").facts()
    for error in (*[stopped] * ledger.limits.max_strikes, ERROR):
        assert ledger.claims.fail(ledger.claimed(account="mallory"), error)


def go_through_a_retry(ledger: Ledger) -> None:
    """Leaves nothing to do."""
    claim = ledger.claimed(account="carol")
    assert ledger.claims.fail(claim, BlobMissing("the picture is gone").facts())
    assert ledger.retry(claim.task, "carol") == 1
    assert [task.uid for task in ledger.tasks.stored("open")] == [claim.task]
    assert ledger.tasks.terminate(claim.task, "carol")


def go_through_every_errand(ledger: Ledger) -> None:
    """Leaves one that a courier has, and one that is due."""
    assert ledger.errands.kept(ledger.fetching(price=0, keep=True), new_upload())
    assert ledger.errands.fetch_failed(ledger.fetching(deliveries=DELIVERIES), ERROR)
    assert ledger.errands.due() == len(DELIVERIES)
    assert ledger.errands.postpone(ledger.next_errand(), seconds=60)
    assert ledger.errands.done(ledger.next_errand())
    rate = RateUse(name="alice", limit=2, seconds=60)
    assert ledger.errands.fetched(ledger.fetching(item_count=3, rate=rate), megapixels=2)
    ledger.next_errand()


def go_through_every_upload(ledger: Ledger) -> None:
    """Leaves one of two."""
    kept, dropped = ledger.upload(), ledger.upload()
    assert ledger.uploads.use(kept.uid, "alice") == kept
    assert ledger.uploads.drop(dropped.uid, "alice") == dropped
    assert ledger.upkeep.count_uploads() == 0

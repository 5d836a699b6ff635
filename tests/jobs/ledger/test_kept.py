"""What finished items leave for corrections: kept with their tasks, counted, named, and gone with them."""

from dataclasses import replace

import pytest

from cutgate.jobs.answers import Kept
from cutgate.jobs.ids import BlobKey, background_key, mask_key, new_task_uid, new_token
from cutgate.jobs.record import Claim, KeptMask, NewTask
from cutgate.jobs.spec import CORRECTIONS
from tests.jobs.build import LANE, Ledger, new_task, result_of
from tests.ledgers import kept_sources, spent_sources


def mask_of(claim: Claim, kept_bytes: int = 100) -> KeptMask:
    key = claim.mask or mask_key(claim.task, claim.index, claim.token, is_matte=False)
    return KeptMask(blob=key, kept_bytes=kept_bytes)


def finished(ledger: Ledger, claim: Claim, kept_bytes: int = 100) -> BlobKey:
    mask = mask_of(claim, kept_bytes)
    assert ledger.claims.finish(claim, result_of(claim), mask=mask)
    return mask.blob


def kept_bytes(ledger: Ledger, account: str = "alice") -> int:
    [found, nobodys] = ledger.accounts.kept_bytes([account, "nobody"])
    assert nobodys == 0
    return found


def correction(kept: Kept) -> NewTask:
    task = new_task()
    [item] = task.items
    mask = mask_key(task.uid, 0, new_token(), is_matte=False)
    return replace(task, items=(replace(item, spec=kept.spec, mask=mask),))


def test_source_mask_and_background_stay_and_are_found(ledger: Ledger) -> None:
    uid = new_task_uid()
    background = background_key(uid, 0, new_token())
    task = new_task(uid=uid)
    ledger.tasks.create(replace(task, items=(replace(task.items[0], background=background),)))
    assert ledger.tasks.kept(uid, 0, "alice") is None, "while it waits"
    claim = ledger.next_claim()
    assert ledger.tasks.kept(uid, 0, "alice") is None, "while it runs"
    mask = finished(ledger, claim)
    kept = Kept(spec=claim.spec, source=claim.source, mask=mask, background=background)
    assert ledger.tasks.kept(uid, 0, "alice") == kept
    assert (ledger.tasks.kept(uid, 0, "bob"), ledger.tasks.kept(uid, 1, "alice")) == (None, None)
    assert ledger.tasks.kept(new_task_uid(), 0, "alice") is None
    assert (kept_sources(ledger, uid), spent_sources(ledger)) == ({claim.source, mask, background}, set())
    assert ledger.retry(uid) == 0


def test_a_repeat_of_the_end_counts_once(ledger: Ledger) -> None:
    claim = ledger.claimed()
    finished(ledger, claim)
    finished(ledger, claim)
    assert kept_bytes(ledger) == 100


def test_what_goes_over_the_quota_goes(ledger: Ledger) -> None:
    tight = ledger.limited(account_kept_bytes=250)
    claims = [tight.claimed() for _ in range(3)]
    masks = [finished(tight, claim) for claim in claims]
    assert [tight.tasks.kept(claim.task, 0, "alice") is not None for claim in claims] == [True, True, False]
    assert kept_bytes(tight) == 200
    assert spent_sources(tight) == {claims[2].source, masks[2]}
    other = tight.claimed(account="bob")
    finished(tight, other, 250)
    assert kept_bytes(tight, "bob") == 250, "another account has a quota of its own"


def test_without_a_mask_the_source_goes_as_ever(ledger: Ledger) -> None:
    claim = ledger.claimed()
    assert ledger.done(claim)
    assert ledger.tasks.kept(claim.task, 0, "alice") is None
    assert (spent_sources(ledger), kept_bytes(ledger)) == ({claim.source}, 0)


def test_a_correction_waits_in_a_lane_of_its_own_with_its_mask(ledger: Ledger) -> None:
    claim = ledger.claimed()
    finished(ledger, claim)
    kept = ledger.tasks.kept(claim.task, 0, "alice")
    assert kept is not None
    task = correction(kept)
    ledger.tasks.create(task)
    assert ledger.claims.take([LANE], "worker", new_token()) is None
    again = ledger.claims.take([CORRECTIONS], "worker", new_token())
    assert again is not None
    assert (again.mask, again.lane, again.task) == (task.items[0].mask, CORRECTIONS, task.uid)
    finished(ledger, again)
    assert kept_sources(ledger, task.uid) == {again.source, again.mask}
    assert kept_bytes(ledger) == 200


@pytest.mark.parametrize("fails", [True, False])
def test_the_mask_of_a_correction_goes_where_nothing_is_kept(ledger: Ledger, fails: bool) -> None:
    claim = ledger.claimed()
    finished(ledger, claim)
    kept = ledger.tasks.kept(claim.task, 0, "alice")
    assert kept is not None
    task = correction(kept)
    ledger.tasks.create(task)
    if fails:
        again = ledger.claims.take([CORRECTIONS], "worker", new_token())
        assert again is not None
        assert ledger.claims.finish(again, result_of(again))
    else:
        ledger.tasks.terminate(task.uid, "alice")
    assert spent_sources(ledger) >= {task.items[0].source, task.items[0].mask}
    assert kept_sources(ledger, claim.task) == {kept.source, kept.mask}, "the first task's own stay"


def test_all_of_a_batch_goes_with_the_task(ledger: Ledger) -> None:
    limits = ledger.limits.retention_seconds
    ledger.tasks.create(task := new_task(item_count=2))
    claims = [ledger.next_claim() for _ in range(2)]
    masks = {finished(ledger, claim) for claim in claims}
    ledger.clock.advance(limits + 1)
    [expired] = ledger.upkeep.hide_expired()
    assert ledger.tasks.kept(task.uid, 0, "alice") is None
    results = {result_of(claim).blob for claim in claims}
    assert {*expired.blobs} == {*masks, *results, *(claim.source for claim in claims)}
    assert kept_bytes(ledger) == 200, "until they are deleted"
    ledger.upkeep.forget([task.uid])
    ledger.upkeep.forget([task.uid])
    assert kept_bytes(ledger) == 0

"""Tests of submissions without HTTP: the order of writes, what goes with a task, how it is found again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import MAX_DELIVERIES, DraftRejected
from cutgate.gateway.web_url import MAX_URL_CHARACTERS
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    IdempotencyConflict,
    InsufficientCredits,
    LedgerFull,
    LedgerUnavailable,
    QueueFull,
    SubmissionRefused,
    TaskTooLarge,
)
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.record import MAX_MEMO_BYTES, Delivery, ErrandKind
from cutgate.jobs.spec import CutoutSpec
from cutgate.jobs.urls import ResultPaths
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.tasks.use_cases import INLINE, LANE, SPEC, UseCases, refusals_left_by
from tests.jobs.build import new_task, take_errand
from tests.ledgers import noted_calls, stored_item


def test_blob_then_record_with_its_hint(cases: UseCases) -> None:
    cases.submit(INLINE)
    assert cases.events == ["put", "create"]
    assert cases.hints == [LANE]


@pytest.mark.parametrize("deletes", [True, False])
def test_a_refusal_that_comes_late_deletes_the_blobs_if_it_can_and_stays_a_refusal(
    monkeypatch: pytest.MonkeyPatch, *, deletes: bool
) -> None:
    """The last place goes to another request while the picture is written."""
    cases = UseCases(cap=1)
    put = cases.blobs.put

    def put_slowly(key: BlobKey, data: bytes) -> None:
        put(key, data)
        cases.store.tasks.create(new_task(account="a"))

    monkeypatch.setattr(cases.blobs, "put", put_slowly)
    if not deletes:
        failing(cases.blobs, delete=BlobStoreUnavailable("away"))
    with pytest.raises(QueueFull):
        cases.submit(INLINE)
    assert len(cases.blobs.keys()) == (0 if deletes else 1)


def full() -> UseCases:
    cases = UseCases(cap=1)
    cases.store.tasks.create(new_task(account="a"))
    return cases


def poor() -> UseCases:
    cases = UseCases(cap=100)
    cases.store.accounts.grant("a", 1)
    return cases


@pytest.mark.parametrize("key", [None, "key"])
@pytest.mark.parametrize(
    ("make", "count", "error"),
    [(full, 1, QueueFull), (poor, 16, InsufficientCredits), (lambda: UseCases(cap=15), 16, TaskTooLarge)],
    ids=["full", "without credits", "never to fit"],
)
def test_what_must_be_refused_is_refused_before_anything_is_written(
    make: Callable[[], UseCases], count: int, error: type[SubmissionRefused], key: str | None
) -> None:
    cases = make()
    cases.events.clear()
    with pytest.raises(error):
        cases.submit(*[INLINE] * count, key=key)
    assert cases.events == []
    cases.store.accounts.grant("a", 100)
    assert cases.store.tasks.poll_named("key", "a")[1] is None


@pytest.mark.parametrize("make", [full, poor])
def test_what_is_refused_is_not_left_to_the_collector(make: Callable[[], UseCases]) -> None:
    """The error would keep the request's body in memory."""
    cases = make()
    assert refusals_left_by(lambda: cases.submit(INLINE, INLINE)) == 0


def test_a_submit_asks_the_ledger_twice(cases: UseCases, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may refuse it, and its record; of the server's memory once a second."""
    cases.submit(INLINE, key="first")
    calls = noted_calls(monkeypatch)
    cases.submit(INLINE, key="second")
    assert calls[:2] == ["look", "create"]


@pytest.mark.parametrize("error", [LedgerUnavailable("no answer in time"), LedgerFull("no memory for the repeat")])
def test_a_lost_reply_deletes_nothing_for_the_task_may_exist(error: LedgerUnavailable) -> None:
    cases = UseCases(after_create=error)
    kept = cases.upload()
    for source in (INLINE, kept):
        with pytest.raises(LedgerUnavailable):
            cases.submit(source)
    assert len(cases.blobs.keys()) == 3
    assert cases.store.waiting(LANE) == 2


def test_a_repeat_is_answered_before_anything_is_written(cases: UseCases) -> None:
    first = cases.submit(INLINE, INLINE, key="key")
    cases.events.clear()
    again = cases.submit(INLINE, INLINE, key="key")
    assert again.uid == first.uid
    assert cases.events == []
    assert cases.blobs.get(stored_item(cases.store, again.uid).source)


def test_other_content_under_the_same_key_is_told_before_the_faults_of_its_pictures(cases: UseCases) -> None:
    cases.submit(INLINE, key="key")
    with pytest.raises(IdempotencyConflict):
        cases.submit("?", key="key")
    with pytest.raises(DraftRejected):
        cases.submit("?", key="other key")


def test_an_equal_request_joins_for_a_time_and_any_other_does_not(cases: UseCases) -> None:
    first = cases.submit(INLINE, joins_seconds=600)
    assert cases.submit(INLINE, joins_seconds=600).uid == first.uid
    assert cases.events == ["put", "create"]
    cropped = Draft(source=INLINE, spec=SPEC, corners=(0, 0, 1, 1))
    other = pictures.data_uri(pictures.png(9, 9))
    others = [cases.submit(source, joins_seconds=600) for source in (cropped, other)]
    others += [cases.submit(INLINE, joins_seconds=600, asked="more"), cases.submit(INLINE)]
    assert len({first.uid, *(task.uid for task in others)}) == 5


def test_what_somebody_waits_for_comes_before_the_rest_of_its_account(cases: UseCases) -> None:
    cases.submit(INLINE)
    urgent = cases.submit(INLINE, urgent=True)
    assert there(cases.store.claims.take([LANE], "worker", "token")).task == urgent.uid


def test_a_repeat_is_known_after_the_model_was_changed(cases: UseCases) -> None:
    first = cases.submit(INLINE, key="key")
    assert cases.submit(Draft(source=INLINE, spec=CutoutSpec(model="new")), key="key").uid == first.uid


@pytest.mark.parametrize(("corners", "clamped"), [((2, 3, 4, 5), (2, 3, 4, 5)), ((-9, -9, 99, 99), (0, 0, 6, 8))])
def test_boxes_are_cut_to_the_oriented_picture(
    cases: UseCases, corners: tuple[int, int, int, int], clamped: tuple[int, int, int, int]
) -> None:
    turned = pictures.data_uri(pictures.png(8, 6, exif=pictures.exif_block(6)))
    task = cases.submit(Draft(source=turned, spec=SPEC, corners=corners))
    box = there(stored_item(cases.store, task.uid).spec.box)
    assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == clamped


CALLBACK = Delivery(kind=ErrandKind.CALLBACK, url="https://calls.example/done")
UPLOAD = Delivery(kind=ErrandKind.UPLOAD, url="https://uploads.example/put")


def due(cases: UseCases) -> list[tuple[str, str]]:
    errands = [take_errand(cases.store) for _ in range(cases.store.errands.due())]
    return sorted((errand.kind.value, errand.url) for errand in errands)


def test_they_are_part_of_what_a_repeat_repeats(cases: UseCases) -> None:
    first = cases.submit(INLINE, key="key", asked="m", deliveries=(CALLBACK, UPLOAD))
    assert cases.submit(INLINE, key="key", asked="m", deliveries=(CALLBACK, UPLOAD)).uid == first.uid
    moved = replace(UPLOAD, url=UPLOAD.url + "/2")
    others: tuple[tuple[str, tuple[Delivery, ...]], ...] = (
        ("n", (CALLBACK, UPLOAD)),
        ("", (CALLBACK, UPLOAD)),
        ("m", (CALLBACK,)),
        ("m", (CALLBACK, moved)),
        ("m", (CALLBACK, replace(CALLBACK, url=UPLOAD.url))),
    )
    for asked, deliveries in others:
        with pytest.raises(IdempotencyConflict):
            cases.submit(INLINE, key="key", asked=asked, deliveries=deliveries)


def test_the_accounts_callback_goes_beside_them_and_not_twice(cases: UseCases) -> None:
    own = Account(name="a", terms=Terms(price_credits=4, queue_cap=2), callback_url=CALLBACK.url)
    cases.store.accounts.grant("a", 9)
    task = cases.submit(INLINE, key="key", account=own, deliveries=(UPLOAD, CALLBACK))
    assert there(cases.store.accounts.balance("a")).reserved == 4
    cases.finish_one()
    assert due(cases) == [("callback", CALLBACK.url), ("upload", UPLOAD.url)]
    # A callback that is set, or moved, between two tries does not make another request of the second.
    moved = replace(own, callback_url="https://moved.example")
    assert cases.submit(INLINE, key="key", account=moved, deliveries=(UPLOAD, CALLBACK)).uid == task.uid
    assert "moved" not in repr(moved)


@pytest.mark.parametrize(
    ("memo", "deliveries"),
    [
        ("ä" * (MAX_MEMO_BYTES // 2 + 1), ()),
        ("", (CALLBACK,) * (MAX_DELIVERIES + 1)),
        ("", (replace(CALLBACK, url="ftp://calls.example"),)),
        ("", (replace(CALLBACK, url="https://" + "a" * MAX_URL_CHARACTERS),)),
    ],
)
def test_what_a_facade_should_have_refused_writes_nothing(
    cases: UseCases, memo: str, deliveries: tuple[Delivery, ...]
) -> None:
    with pytest.raises(ValueError, match="at most"):
        cases.submit(INLINE, key="key", memo=memo, deliveries=deliveries)
    assert cases.blobs.keys() == ()
    assert cases.store.tasks.unfinished("a") == ()


def tasks_of(cases: UseCases) -> Tasks:
    return Tasks(store=cases.store, paths=ResultPaths([bytes(32)]), retention_seconds=1_000)


@pytest.mark.parametrize(("ttl_seconds", "good_seconds"), [(None, 1_000), (60, 60), (5_000, 1_000)])
def test_a_path_is_good_for_the_retention_or_less(
    cases: UseCases, ttl_seconds: float | None, good_seconds: int
) -> None:
    uid = cases.submit(INLINE).uid
    cases.finish_one()
    [task] = tasks_of(cases).find("a", [uid])
    ended_at_ms, result = there(there(task).ended_at_ms), there(there(task).items[0].result)
    path = tasks_of(cases).result_path(there(task), result, ttl_seconds)
    assert path == tasks_of(cases).result_path(there(task), result, ttl_seconds)
    assert path.split("/")[3] == str(int(ended_at_ms / 1_000 + good_seconds))
    with pytest.raises(ValueError, match="not ended"):
        tasks_of(cases).result_path(cases.submit(INLINE), result)

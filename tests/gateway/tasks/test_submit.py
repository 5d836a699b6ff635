"""The use cases without HTTP: what is written in which order, what goes with a task, and how it is found again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.tasks.drafts import Draft
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import MAX_DELIVERIES, DraftRejected
from cutgate.gateway.web_url import MAX_URL_CHARACTERS
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    IdempotencyConflict,
    InsufficientCredits,
    LedgerUnavailable,
    QueueFull,
    SubmissionRefused,
    TaskTooLarge,
)
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.record import MAX_MEMO_BYTES, Delivery, DeliveryKind, RateUse
from cutgate.jobs.spec import CutoutSpec
from cutgate.jobs.urls import ResultPaths
from tests.fakes import failing
from tests.gateway import picture_files as pictures
from tests.gateway.harness import there
from tests.gateway.use_cases import INLINE, LANE, SPEC, House, refusals_left_by
from tests.jobs.build import new_task, take_errand
from tests.ledgers import noted_calls, stored_item


@pytest.fixture
def house() -> House:
    return House()


def test_blob_then_record_with_its_hint(house: House) -> None:
    house.submit(INLINE)
    assert house.events == ["blob", "create"]
    assert house.hints == [LANE]


def test_one_bad_picture_among_several_leaves_nothing(house: House) -> None:
    with pytest.raises(DraftRejected) as caught:
        house.submit(INLINE, "?")
    assert caught.value.index == 1
    assert house.events == []


@pytest.mark.parametrize("deletes", [True, False])
def test_a_refusal_that_comes_late_deletes_the_blobs_if_it_can_and_stays_a_refusal(
    monkeypatch: pytest.MonkeyPatch, *, deletes: bool
) -> None:
    """The last place goes to another request while the picture is written."""
    house = House(cap=1)
    put = house.blobs.put

    def put_slowly(key: BlobKey, data: bytes) -> None:
        put(key, data)
        house.store.create(new_task(account="a"))

    monkeypatch.setattr(house.blobs, "put", put_slowly)
    if not deletes:
        failing(house.blobs, delete=BlobStoreUnavailable("away"))
    with pytest.raises(QueueFull):
        house.submit(INLINE)
    assert len(house.blobs.keys()) == (0 if deletes else 1)


def full() -> House:
    house = House(cap=1)
    house.store.create(new_task(account="a"))
    return house


def poor() -> House:
    house = House(cap=100)
    house.store.grant("a", 1)
    return house


@pytest.mark.parametrize("key", [None, "key"])
@pytest.mark.parametrize(
    ("make", "count", "error"),
    [(full, 1, QueueFull), (poor, 16, InsufficientCredits), (lambda: House(cap=15), 16, TaskTooLarge)],
    ids=["full", "without credits", "never to fit"],
)
def test_what_must_be_refused_is_refused_before_anything_is_written(
    make: Callable[[], House], count: int, error: type[SubmissionRefused], key: str | None
) -> None:
    house = make()
    house.events.clear()
    with pytest.raises(error):
        house.submit(*[INLINE] * count, key=key)
    assert house.events == []
    house.store.grant("a", 100)
    assert house.store.poll_named("key", "a")[1] is None


@pytest.mark.parametrize("make", [full, poor])
def test_what_is_refused_is_not_left_to_the_collector(make: Callable[[], House]) -> None:
    """The error would keep the request's body in memory."""
    house = make()
    assert refusals_left_by(lambda: house.submit(INLINE, INLINE)) == 0


def test_a_submit_asks_the_ledger_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may refuse it, and its record; of the server's memory once a second."""
    house.submit(INLINE, key="first")
    calls = noted_calls(monkeypatch)
    house.part.submit("a", "Cut", [Draft(source=INLINE, spec=SPEC)], "second")
    assert calls == ["look", "create"]


def test_a_lost_reply_deletes_nothing_for_the_task_may_exist() -> None:
    house = House(loses_reply=True)
    kept = house.upload()
    for source in (INLINE, kept):
        with pytest.raises(LedgerUnavailable):
            house.submit(source)
    assert len(house.blobs.keys()) == 3
    assert house.store.waiting(LANE) == 2


def test_a_repeat_is_answered_before_anything_is_written(house: House) -> None:
    first = house.submit(INLINE, INLINE, key="key")
    house.events.clear()
    again = house.submit(INLINE, INLINE, key="key")
    assert again.uid == first.uid
    assert house.events == []
    assert house.blobs.get(stored_item(house.store, again.uid).source)


def test_other_content_under_the_same_key_is_told_before_the_faults_of_its_pictures(house: House) -> None:
    house.submit(INLINE, key="key")
    with pytest.raises(IdempotencyConflict):
        house.submit("?", key="key")
    with pytest.raises(DraftRejected):
        house.submit("?", key="other key")


def test_an_equal_request_joins_for_a_time_and_any_other_does_not(house: House) -> None:
    first = house.submit(INLINE, joins_seconds=600)
    assert house.submit(INLINE, joins_seconds=600).uid == first.uid
    assert house.events == ["blob", "create"]
    cropped = Draft(source=INLINE, spec=SPEC, corners=(0, 0, 1, 1))
    other = pictures.data_uri(pictures.png(9, 9))
    others = [house.submit(source, joins_seconds=600) for source in (cropped, other)]
    others += [house.submit(INLINE, joins_seconds=600, asked="more"), house.submit(INLINE)]
    assert len({first.uid, *(task.uid for task in others)}) == 5


def test_a_request_with_a_name_joins_by_its_name_alone(house: House) -> None:
    first = house.submit(INLINE, joins_seconds=600)
    named = house.submit(INLINE, key="order 17", joins_seconds=600)
    assert named.uid != first.uid
    assert house.submit(INLINE, key="order 17", joins_seconds=600).uid == named.uid


def test_what_somebody_waits_for_comes_before_the_rest_of_its_account(house: House) -> None:
    house.submit(INLINE)
    urgent = house.submit(INLINE, urgent=True)
    assert there(house.store.claim([LANE], "worker", "token")).task == urgent.uid


def test_a_repeat_is_known_after_the_model_was_changed(house: House) -> None:
    first = house.submit(INLINE, key="key")
    assert house.submit(Draft(source=INLINE, spec=CutoutSpec(model="new")), key="key").uid == first.uid


@pytest.mark.parametrize(("corners", "clamped"), [((2, 3, 4, 5), (2, 3, 4, 5)), ((-9, -9, 99, 99), (0, 0, 6, 8))])
def test_boxes_are_cut_to_the_oriented_picture(
    house: House, corners: tuple[int, int, int, int], clamped: tuple[int, int, int, int]
) -> None:
    turned = pictures.data_uri(pictures.png(8, 6, exif=pictures.exif_block(6)))
    task = house.submit(Draft(source=turned, spec=SPEC, corners=corners))
    box = there(stored_item(house.store, task.uid).spec.box)
    assert (box.left_px, box.top_px, box.right_px, box.bottom_px) == clamped


CALLBACK = Delivery(kind=DeliveryKind.CALLBACK, url="https://calls.example/done")
UPLOAD = Delivery(kind=DeliveryKind.UPLOAD, url="https://uploads.example/put")


def due(house: House) -> list[tuple[str, str]]:
    errands = [take_errand(house.store) for _ in range(house.store.errands_due())]
    return sorted((errand.kind.value, errand.url) for errand in errands)


def test_they_go_with_the_task(house: House) -> None:
    task = house.submit(INLINE, key="key", memo='{"a": "ä"}', deliveries=(CALLBACK, UPLOAD))
    assert task.memo == '{"a": "ä"}'
    house.finish_one()
    assert due(house) == [("callback", CALLBACK.url), ("upload", UPLOAD.url)]


def test_they_are_part_of_what_a_repeat_repeats(house: House) -> None:
    first = house.submit(INLINE, key="key", asked="m", deliveries=(CALLBACK, UPLOAD))
    assert house.submit(INLINE, key="key", asked="m", deliveries=(CALLBACK, UPLOAD)).uid == first.uid
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
            house.submit(INLINE, key="key", asked=asked, deliveries=deliveries)


def test_the_accounts_callback_goes_beside_them_and_not_twice(house: House) -> None:
    own = Account(name="a", terms=Terms(price_credits=4, queue_cap=2), callback_url=CALLBACK.url)
    house.part = house.part.for_account(own)
    assert (house.part.price, house.part.caps.queue) == (4, 2)
    task = house.submit(INLINE, key="key", deliveries=(UPLOAD, CALLBACK))
    house.finish_one()
    assert due(house) == [("callback", CALLBACK.url), ("upload", UPLOAD.url)]
    # A callback that is set, or moved, between two tries does not make another request of the second.
    house.part = house.part.for_account(replace(own, callback_url="https://moved.example"))
    assert house.submit(INLINE, key="key", deliveries=(UPLOAD, CALLBACK)).uid == task.uid
    assert "moved" not in repr(house.part)


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
    house: House, memo: str, deliveries: tuple[Delivery, ...]
) -> None:
    with pytest.raises(ValueError, match="at most"):
        house.submit(INLINE, key="key", memo=memo, deliveries=deliveries)
    assert house.blobs.keys() == ()
    assert house.store.unfinished("a") == ()


def tasks_of(house: House) -> Tasks:
    return Tasks(store=house.store, paths=ResultPaths([bytes(32)]), retention_seconds=1_000)


def test_a_task_is_found_by_the_name_of_its_request_and_its_account(house: House) -> None:
    task = house.submit(INLINE, key="key", memo="what was asked")
    tasks = tasks_of(house)
    named = there(tasks.named("a", "key", poll_of("a")))
    assert (named.uid, named.memo) == (task.uid, "what was asked")
    assert tasks.named("stranger", "key", poll_of("stranger")) is None
    assert tasks.named("a", "another", poll_of("a")) is None


def poll_of(account: str) -> Entry:
    """A request that has not been counted."""
    return Entry(account=account, use=RateUse(name=account, limit=10, seconds=1))


@pytest.mark.parametrize(("ttl_seconds", "good_seconds"), [(None, 1_000), (60, 60), (5_000, 1_000)])
def test_a_path_is_good_for_the_retention_or_less(
    house: House, ttl_seconds: float | None, good_seconds: int
) -> None:
    uid = house.submit(INLINE).uid
    house.finish_one()
    [task] = tasks_of(house).find("a", [uid])
    ended_at_ms, result = there(there(task).ended_at_ms), there(there(task).items[0].result)
    path = tasks_of(house).result_path(there(task), result, ttl_seconds)
    assert path == tasks_of(house).result_path(there(task), result, ttl_seconds)
    assert path.split("/")[3] == str(int(ended_at_ms / 1_000 + good_seconds))
    with pytest.raises(ValueError, match="not ended"):
        tasks_of(house).result_path(house.submit(INLINE), result)

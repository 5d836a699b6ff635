"""What goes with a task: the façade's memo, and what is brought to other servers at the task's end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.tasks.submit import MAX_DELIVERIES
from cutgate.gateway.web_url import MAX_URL_CHARACTERS
from cutgate.jobs.errors import IdempotencyConflict
from cutgate.jobs.record import MAX_MEMO_BYTES, Delivery, DeliveryKind
from tests.gateway.use_cases import INLINE, House
from tests.jobs.build import take_errand

CALLBACK = Delivery(kind=DeliveryKind.CALLBACK, url="https://calls.example/done")
UPLOAD = Delivery(kind=DeliveryKind.UPLOAD, url="https://uploads.example/put")


def due(house: House) -> list[tuple[str, str]]:
    errands = [take_errand(house.store) for _ in range(house.store.errands_due())]
    return sorted((errand.kind.value, errand.url) for errand in errands)


def test_they_go_with_the_task() -> None:
    house = House()
    task = house.submit(INLINE, key="key", memo='{"a": "ä"}', deliveries=(CALLBACK, UPLOAD))
    assert task.memo == '{"a": "ä"}'
    house.finish_one()
    assert due(house) == [("callback", CALLBACK.url), ("upload", UPLOAD.url)]


def test_they_are_part_of_what_a_repeat_repeats() -> None:
    house = House()
    first = house.submit(INLINE, key="key", memo="m", deliveries=(CALLBACK, UPLOAD))
    assert house.submit(INLINE, key="key", memo="m", deliveries=(CALLBACK, UPLOAD)).uid == first.uid
    moved = replace(UPLOAD, url=UPLOAD.url + "/2")
    others: tuple[tuple[str, tuple[Delivery, ...]], ...] = (
        ("n", (CALLBACK, UPLOAD)),
        ("", (CALLBACK, UPLOAD)),
        ("m", (CALLBACK,)),
        ("m", (CALLBACK, moved)),
        ("m", (CALLBACK, replace(CALLBACK, url=UPLOAD.url))),
    )
    for memo, deliveries in others:
        with pytest.raises(IdempotencyConflict):
            house.submit(INLINE, key="key", memo=memo, deliveries=deliveries)


def test_the_accounts_callback_goes_beside_them_and_not_twice() -> None:
    house = House()
    own = Account(name="a", terms=Terms(price_credits=4, queue_cap=2), callback_url=CALLBACK.url)
    house.part = house.part.for_account(own)
    assert (house.part.price, house.part.queue_cap) == (4, 2)
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
def test_what_a_facade_should_have_refused_writes_nothing(memo: str, deliveries: tuple[Delivery, ...]) -> None:
    house = House()
    with pytest.raises(ValueError, match="at most"):
        house.submit(INLINE, key="key", memo=memo, deliveries=deliveries)
    assert house.blobs.keys() == ()
    assert house.store.unfinished("a") == ()

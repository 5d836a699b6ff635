"""What an errand's end counts as."""

from __future__ import annotations

import pytest

from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import Delivery, DeliveryKind
from tests.courier.house import ACCOUNT, House
from tests.courier.outside import OutsideServer, Script, picture
from tests.gateway.picture_files import png
from tests.servers.scrapes import here


def errands(kind: str) -> dict[str, float]:
    """How many of each outcome."""
    outcomes = names.ERRANDS.labels["outcome"]
    return {outcome: here().value(names.ERRANDS, kind=kind, outcome=outcome) or 0 for outcome in outcomes}


def counted(kind: str, before: dict[str, float]) -> dict[str, float]:
    """What has been added since."""
    return {
        outcome: value - before[outcome] for outcome, value in errands(kind).items() if value != before[outcome]
    }


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (picture(png()), "done"),
        (lambda visit: visit.answer(404), "given_up"),
        (lambda visit: visit.answer(503), "again"),
    ],
)
def test_a_fetch(house: House, server: OutsideServer, script: Script, outcome: str) -> None:
    server.scripts = {"/": script}
    house.source_at(server.url())
    before = errands("fetch")
    house.runner().run(house.take())
    assert counted("fetch", before) == {outcome: 1}


def test_a_fetch_for_a_task_that_has_ended(house: House, server: OutsideServer) -> None:
    server.scripts = {"/": picture(png())}
    uid = house.source_at(server.url())
    errand = house.take()
    house.store.terminate(uid, ACCOUNT)
    before = errands("fetch")
    house.runner().run(errand)
    assert counted("fetch", before) == {"moot": 1}


@pytest.mark.parametrize(
    ("status", "origin", "outcome"),
    [(200, "test", "done"), (503, "test", "again"), (200, "unknown", "moot")],
)
def test_a_delivery(house: House, server: OutsideServer, status: int, origin: str, outcome: str) -> None:
    server.scripts = {"/": lambda visit: visit.answer(status)}
    house.ended(Delivery(kind=DeliveryKind.CALLBACK, url=server.url()), origin=origin)
    before = errands("callback")
    house.runner().run(house.take())
    assert counted("callback", before) == {outcome: 1}


def test_a_delivery_to_where_nothing_may_go(house: House) -> None:
    house.ended(Delivery(kind=DeliveryKind.CALLBACK, url="http://10.0.0.1/"))
    before = errands("callback")
    house.runner().run(house.take())
    assert counted("callback", before) == {"given_up": 1}

"""What an errand's end counts as, and what its lines say: what it belongs to, and of its URL the host alone."""

from __future__ import annotations

import pytest
import structlog

from cutgate.courier.observe import observed
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import Delivery, DeliveryKind
from tests.courier.outside import OutsideServer, Script, picture
from tests.courier.parts import ACCOUNT, CourierParts
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
def test_a_fetch(parts: CourierParts, server: OutsideServer, script: Script, outcome: str) -> None:
    server.scripts = {"/": script}
    parts.source_at(server.url())
    before = errands("fetch")
    parts.runner().run(parts.take())
    assert counted("fetch", before) == {outcome: 1}


def test_a_fetch_for_a_task_that_has_ended(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/": picture(png())}
    uid = parts.source_at(server.url())
    errand = parts.take()
    parts.store.terminate(uid, ACCOUNT)
    before = errands("fetch")
    parts.runner().run(errand)
    assert counted("fetch", before) == {"moot": 1}


@pytest.mark.parametrize(
    ("status", "origin", "outcome"), [(200, "test", "done"), (503, "test", "again"), (200, "unknown", "moot")]
)
def test_a_delivery(parts: CourierParts, server: OutsideServer, status: int, origin: str, outcome: str) -> None:
    server.scripts = {"/": lambda visit: visit.answer(status)}
    parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url=server.url()), origin=origin)
    before = errands("callback")
    parts.runner().run(parts.take())
    assert counted("callback", before) == {outcome: 1}


def test_a_delivery_to_where_nothing_may_go(parts: CourierParts) -> None:
    parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url="http://10.0.0.1/"))
    before = errands("callback")
    parts.runner().run(parts.take())
    assert counted("callback", before) == {"given_up": 1}


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("user:secret@127.0.0.1", "127.0.0.1")])
def test_what_is_bound(parts: CourierParts, server: OutsideServer, host: str, shown: str) -> None:
    uid = parts.source_at(server.url("/secret?token=secret", host=host))
    errand = parts.take()
    with observed(errand):
        bound = structlog.contextvars.get_contextvars()
    assert bound == {
        "errand": "fetch",
        "request_uuid": "",
        "task_uid": uid,
        "item": 0,
        "account": ACCOUNT,
        "attempt": 1,
        "host": shown,
    }
    assert structlog.contextvars.get_contextvars() == {}

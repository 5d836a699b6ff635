"""What an errand's end counts as, and what its lines say: what it belongs to, and of its URL the host alone."""

import pytest

from cutgate.courier.observe import observed
from cutgate.jobs.observe import logs
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import Delivery, DeliveryKind
from tests.courier.outside import Script, picture
from tests.courier.parts import ACCOUNT, CourierParts, answering
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
    [(picture(png()), "done"), (answering(404), "given_up"), (answering(503), "again"), (None, "moot")],
)
def test_a_fetch(parts: CourierParts, script: Script | None, outcome: str) -> None:
    uid = parts.source_from(script or picture(png()))
    errand, before = parts.store.next_errand(), errands("fetch")
    if script is None:
        parts.store.tasks.terminate(uid, ACCOUNT)
    parts.run(errand)
    assert counted("fetch", before) == {outcome: 1}


@pytest.mark.parametrize(
    ("status", "origin", "outcome"), [(200, "test", "done"), (503, "test", "again"), (200, "unknown", "moot")]
)
def test_a_delivery(parts: CourierParts, status: int, origin: str, outcome: str) -> None:
    parts.ended(parts.callback(answering(status)), origin=origin)
    before = errands("callback")
    parts.run()
    assert counted("callback", before) == {outcome: 1}


def test_a_delivery_to_where_nothing_may_go(parts: CourierParts) -> None:
    parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url="http://10.0.0.1/"))
    before = errands("callback")
    parts.run()
    assert counted("callback", before) == {"given_up": 1}


@pytest.mark.parametrize("user", ["", "user:secret@"])
def test_what_is_bound(parts: CourierParts, user: str) -> None:
    uid = parts.source_at(parts.server.url("/secret?token=secret", host=f"{user}127.0.0.1"))
    with observed(parts.store.next_errand()):
        bound = logs.facts()
    of_task = {"errand": "fetch", "request_uuid": "", "task_uid": uid, "item": 0, "account": ACCOUNT}
    assert bound == of_task | {"attempt": 1, "host": "127.0.0.1"}
    assert logs.facts() == {}

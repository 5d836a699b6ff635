"""Errands that fetch the picture behind a subject, alone or beside the source."""

from dataclasses import replace

import pytest

from cutgate.jobs import errors
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import ItemState
from tests.courier.outside import Script, Visit, picture
from tests.courier.parts import ACCOUNT, CourierParts, answering
from tests.gateway.picture_files import png
from tests.jobs.build import new_task

SOURCE, BEACH = png(), png(16, 9)


def wanted(parts: CourierParts, script: Script, *, source: Script | None = None) -> TaskUid:
    """An item whose background is at a URL, and its source where a script is given."""
    parts.server.scripts["/beach"] = script
    if source is not None:
        parts.server.scripts["/"] = source
    task = new_task(account=ACCOUNT, source_url=None if source is None else parts.server.url("/"))
    item = replace(task.items[0], background_url=parts.server.url("/beach?token=secret"))
    if source is None:
        parts.blobs.put(item.source, SOURCE)
    parts.store.create(replace(task, items=(item,)))
    return task.uid


def test_it_is_handed_to_the_worker_beside_what_was_sent(parts: CourierParts) -> None:
    uid = wanted(parts, picture(BEACH))
    parts.run()
    assert parts.item(uid).state is ItemState.QUEUED
    claim = parts.store.next_claim()
    assert claim.background is not None
    assert (parts.blobs.get(claim.source), parts.blobs.get(claim.background)) == (SOURCE, BEACH)
    assert parts.nothing_is_due()


def test_both_are_fetched(parts: CourierParts) -> None:
    wanted(parts, picture(BEACH), source=picture(SOURCE))
    parts.run()
    claim = parts.store.next_claim()
    assert claim.background is not None
    assert (parts.blobs.get(claim.source), parts.blobs.get(claim.background)) == (SOURCE, BEACH)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answering(404), errors.SourceUnreachable.kind),
        (picture(b"<html></html>", "image/png"), errors.SourceUnreadable.kind),
    ],
)
def test_one_that_cannot_be_had_fails_the_item_and_says_which(
    parts: CourierParts, script: Script, kind: str
) -> None:
    uid = wanted(parts, script, source=picture(SOURCE))
    parts.run()
    error = parts.error(uid)
    assert (error.kind, error.details["part"]) == (kind, "background")
    assert error.message.startswith("the background: ")
    assert list(parts.blobs.tasks()) == []
    assert parts.nothing_is_due()


def test_a_source_that_cannot_be_had_is_not_called_a_background(parts: CourierParts) -> None:
    uid = wanted(parts, picture(BEACH), source=answering(404))
    parts.run()
    assert "part" not in parts.error(uid).details


def test_a_server_that_fails_is_asked_again_and_nothing_is_left_meanwhile(parts: CourierParts) -> None:
    uid = wanted(parts, answering(503), source=picture(SOURCE))
    parts.run()
    assert parts.item(uid).state is ItemState.FETCHING
    assert list(parts.blobs.tasks()) == []
    parts.server.scripts["/beach"] = picture(BEACH)
    parts.clock.advance(2)
    parts.run()
    assert parts.item(uid).state is ItemState.QUEUED


def test_one_that_nobody_waits_for_any_more_is_deleted(parts: CourierParts) -> None:
    def ended_meanwhile(visit: Visit) -> None:
        parts.store.terminate(uid, ACCOUNT)
        visit.answer(200, BEACH)

    uid = wanted(parts, ended_meanwhile, source=picture(SOURCE))
    parts.run()
    assert list(parts.blobs.tasks()) == []

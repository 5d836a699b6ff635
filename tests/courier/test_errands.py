"""What becomes of errands that fetch: a picture that waits for a worker, another try, or a failed item."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from cutgate.courier.errands import longest_pause
from cutgate.jobs.errors import (
    BlobStoreUnavailable,
    CutoutError,
    SourceRejected,
    SourceTooLarge,
    SourceUnreachable,
    SourceUnreadable,
)
from cutgate.jobs.record import ItemState
from tests.courier.outside import OutsideServer, Script, Visit, picture, redirect
from tests.courier.parts import ACCOUNT, CourierParts, reasons
from tests.fakes import MemoryBlobStore, failing
from tests.gateway.picture_files import png, png_header_only
from tests.jobs.build import LANE, claim_next

PICTURE = png()


def test_a_fetched_picture_waits_for_a_worker(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/": redirect("/cat"), "/cat": picture(PICTURE)}
    uid = parts.source_at(server.url("/?token=secret"))
    with capture_logs() as events:
        parts.runner().run(parts.take())
    item = parts.task(uid).items[0]
    assert (item.state, parts.blobs.get(item.source), parts.hints) == (ItemState.QUEUED, PICTURE, [LANE])
    assert claim_next(parts.store).source == item.source
    assert parts.nothing_is_due()
    assert "secret" not in str(events)


def test_a_picture_that_is_kept_is_an_upload_and_no_worker_is_told(
    parts: CourierParts, server: OutsideServer
) -> None:
    server.scripts = {"/": picture(PICTURE)}
    uid = parts.source_at(server.url(), keep=True)
    parts.runner().run(parts.take())
    item = parts.task(uid).items[0]
    assert item.result is not None
    upload = parts.store.use_upload(item.result.blob.task, ACCOUNT)
    assert upload is not None
    assert (item.state, item.result, parts.hints) == (ItemState.DONE, upload.as_result(), [])
    assert (upload.media_type, upload.width_px, upload.size_bytes) == ("image/png", 8, len(PICTURE))
    assert parts.blobs.get(upload.blob) == PICTURE
    assert parts.nothing_is_due()


def test_what_is_brought_too_late_is_not_kept(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/": picture(PICTURE)}
    uid = parts.source_at(server.url(), keep=True)
    errand = parts.take()
    parts.store.terminate(uid, ACCOUNT)
    parts.runner().run(errand)
    assert list(parts.blobs.tasks()) == []


@pytest.mark.parametrize("keep", [False, True])
def test_no_picture_fails_whatever_it_is_for(parts: CourierParts, server: OutsideServer, keep: bool) -> None:
    server.scripts = {"/": picture(PICTURE[:-4])}
    uid = parts.source_at(server.url(), keep=keep)
    parts.runner().run(parts.take())
    error = parts.task(uid).items[0].error
    assert error is not None
    assert (error.kind, list(parts.blobs.tasks())) == (SourceUnreadable.kind, [])


FAULTS: dict[str, tuple[Script, type[SourceRejected]]] = {
    "no picture": (picture(b"<html></html>", "image/png"), SourceUnreadable),
    "a cut off picture": (picture(PICTURE[:-4]), SourceUnreadable),
    "too many pixels": (picture(png_header_only(11_000, 11_000)), SourceTooLarge),
    "too long a side": (picture(png_header_only(13_000, 1)), SourceTooLarge),
    "a page": (picture(b"<html></html>", "text/html"), SourceUnreachable),
    "not there": (lambda visit: visit.answer(404), SourceUnreachable),
    "a redirect inside": (redirect("http://10.0.0.1/"), SourceUnreachable),
}


@pytest.mark.parametrize(("script", "error"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_become_a_picture_fails_at_once(
    parts: CourierParts, server: OutsideServer, script: Script, error: type[CutoutError]
) -> None:
    server.scripts = {"/": script}
    uid = parts.source_at(server.url())
    parts.runner().run(parts.take())
    item = parts.task(uid).items[0]
    assert item.error is not None
    assert (item.state, item.error.kind, parts.hints) == (ItemState.FAILED, error.kind, [])
    assert parts.nothing_is_due()
    assert list(parts.blobs.tasks()) == []


def test_a_picture_over_the_limit_fails_as_one_that_is_sent(server: OutsideServer) -> None:
    parts = CourierParts(server.port, max_source_bytes=100)
    server.scripts = {"/": picture(bytes(101))}
    uid = parts.source_at(server.url())
    parts.runner().run(parts.take())
    assert parts.task(uid).items[0].error == SourceTooLarge("bytes", 101, 100).facts()


def test_a_server_that_fails_is_asked_three_times(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/": lambda visit: visit.answer(503)}
    uid = parts.source_at(server.url("/?token=secret"))
    with capture_logs() as events:
        for pause_seconds in (1, 2):
            parts.runner().run(parts.take())
            assert parts.task(uid).items[0].state is ItemState.FETCHING
            assert parts.nothing_is_due(within_seconds=pause_seconds / 2)
            parts.clock.advance(pause_seconds / 2)
        parts.runner().run(parts.take())
    error = parts.task(uid).items[0].error
    assert error is not None
    assert (error.kind, error.message) == ("source_unreachable", "the server answers HTTP 503")
    assert error.details == {"reason": "status"}
    assert len(server.requests) == 3
    assert reasons(events) == ["status"] * 3
    assert [event.get("pause_seconds") for event in events] == [1, 2, None]
    assert "secret" not in str(events)


def test_a_server_that_comes_back_is_forgiven(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/": lambda visit: visit.answer(500)}
    uid = parts.source_at(server.url())
    parts.runner(draw=lambda: 0.0).run(parts.take())
    server.scripts = {"/": picture(PICTURE)}
    parts.runner().run(parts.take())
    assert parts.task(uid).items[0].state is ItemState.QUEUED


def test_an_address_that_may_not_be_called_is_refused_at_once(parts: CourierParts) -> None:
    uid = parts.source_at("http://169.254.169.254/latest/meta-data/?secret")
    with capture_logs() as events:
        parts.runner().run(parts.take())
    error = parts.task(uid).items[0].error
    assert error is not None
    assert (error.kind, error.details) == ("source_unreachable", {"reason": "url"})  # 80 is no port of this parts
    other = parts.source_at(f"http://169.254.169.254:{parts.settings.courier_ports[0]}/")
    with capture_logs() as events:
        parts.runner().run(parts.take())
    error = parts.task(other).items[0].error
    assert error is not None
    assert error.details == {"reason": "address"}
    assert [event["address"] for event in events] == ["metadata"]
    assert "metadata" not in error.message


def test_a_picture_that_nobody_waits_for_any_more_is_deleted(parts: CourierParts, server: OutsideServer) -> None:
    def ended_meanwhile(visit: Visit) -> None:
        parts.store.terminate(uid, ACCOUNT)
        visit.answer(200, PICTURE)

    server.scripts = {"/": ended_meanwhile}
    uid = parts.source_at(server.url())
    parts.runner().run(parts.take())
    assert list(parts.blobs.tasks()) == []
    assert (parts.hints, parts.task(uid).items[0].state) == ([], ItemState.FAILED)


def test_a_full_disk_fails_nothing(parts: CourierParts, server: OutsideServer) -> None:
    parts.blobs = failing(MemoryBlobStore(), put=BlobStoreUnavailable("no space left"))
    server.scripts = {"/": picture(PICTURE)}
    uid = parts.source_at(server.url())
    with pytest.raises(BlobStoreUnavailable):
        parts.runner().run(parts.take())
    assert parts.task(uid).items[0].state is ItemState.FETCHING
    assert not parts.nothing_is_due()


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600), (10_000, 600)]
)
def test_pauses_grow_up_to_a_bound(attempt: int, seconds: float) -> None:
    assert longest_pause(attempt, 10, 600) == seconds

"""What becomes of errands that fetch, and how each end is counted and logged."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from cutgate.courier.errands import longest_pause
from cutgate.courier.observe import observed
from cutgate.jobs import errors
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe import logs
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import ItemState, RateUse
from tests.courier.outside import OutsideServer, Script, Visit, picture, redirect
from tests.courier.parts import ACCOUNT, CourierParts, answering, reasons
from tests.fakes import MemoryBlobStore, failing
from tests.gateway.picture_files import jpeg, png, png_header_only
from tests.jobs.build import LANE, new_task
from tests.ledgers import stored_item
from tests.servers.scrapes import here

PICTURE = png()


def test_a_fetched_picture_waits_for_a_worker(parts: CourierParts) -> None:
    parts.server.scripts["/cat"] = picture(PICTURE)
    uid = parts.source_from(redirect("/cat"))
    with capture_logs() as events:
        parts.run()
    item = parts.item(uid)
    source = stored_item(parts.store, uid).source
    assert (item.state, parts.blobs.get(source), parts.hints) == (ItemState.QUEUED, PICTURE, [LANE])
    assert parts.store.next_claim().source == source
    assert parts.nothing_is_due()
    assert "secret" not in str(events)


def test_the_megapixels_of_a_source_count_but_not_those_of_its_background(parts: CourierParts) -> None:
    rate = RateUse(name="removebg:alice", limit=60, seconds=60_000)
    parts.server.scripts |= {"/source": picture(png(1_600, 1_200)), "/behind": picture(png(3_000, 2_000))}
    behind = parts.server.url("/behind")
    for source in (parts.server.url("/source"), None):
        task = new_task(rate=rate, source_url=source)
        parts.store.tasks.create(replace(task, items=(replace(task.items[0], background_url=behind),)))
        parts.run()
    assert parts.store.waiting(LANE) == 2
    assert parts.store.accounts.take_rate(rate).remaining == 60 - 1 - 1


@pytest.mark.parametrize("keep", [False, True])
def test_what_a_camera_appends_to_a_picture_is_dropped(parts: CourierParts, keep: bool) -> None:
    photo = jpeg()
    parts.source_from(picture(photo + photo + bytes(2**17)), keep=keep)
    parts.run()
    (key,) = parts.blobs.keys()
    assert parts.blobs.get(key) == photo


def test_a_picture_that_is_kept_is_an_upload_and_no_worker_is_told(parts: CourierParts) -> None:
    uid = parts.source_from(picture(PICTURE), keep=True)
    parts.run()
    item = parts.item(uid)
    assert item.result is not None
    upload = parts.store.uploads.use(item.result.blob.task, ACCOUNT)
    assert upload is not None
    assert (item.state, item.result, parts.hints) == (ItemState.DONE, upload.as_result(), [])
    assert (upload.media_type, upload.width_px, upload.size_bytes) == ("image/png", 8, len(PICTURE))
    assert parts.blobs.get(upload.blob) == PICTURE
    assert parts.nothing_is_due()


@pytest.mark.parametrize("keep", [False, True])
def test_a_picture_that_nobody_waits_for_any_more_is_deleted(parts: CourierParts, keep: bool) -> None:
    def ended_meanwhile(visit: Visit) -> None:
        parts.store.tasks.terminate(uid, ACCOUNT)
        visit.answer(200, PICTURE)

    uid = parts.source_from(ended_meanwhile, keep=keep)
    parts.run()
    assert list(parts.blobs.tasks()) == []
    assert (parts.hints, parts.item(uid).state) == ([], ItemState.FAILED)


def test_a_picture_for_which_its_account_has_no_room_fails_and_leaves_nothing(server: OutsideServer) -> None:
    parts = CourierParts(server, account_upload_bytes=len(PICTURE) - 1)
    uid = parts.source_from(picture(PICTURE), keep=True)
    parts.run()
    assert parts.error(uid).kind == errors.UploadsFull.kind
    assert parts.nothing_is_due()
    assert list(parts.blobs.tasks()) == []


FAULTS: dict[str, tuple[Script, type[errors.SourceRejected]]] = {
    "no picture": (picture(b"<html></html>", "image/png"), errors.SourceUnreadable),
    "a cut off picture": (picture(PICTURE[:-4]), errors.SourceUnreadable),
    "a payload behind a picture": (picture(jpeg() + bytes(2**17)), errors.SourceUnreadable),
    "too many scans": (picture(jpeg(4_000, 4_000, scans=63)), errors.SourceTooCostly),
    "too many pixels": (picture(png_header_only(11_000, 11_000)), errors.SourceTooLarge),
    "too long a side": (picture(png_header_only(13_000, 1)), errors.SourceTooLarge),
    "a page": (picture(b"<html></html>", "text/html"), errors.SourceUnreachable),
    "not there": (answering(404), errors.SourceUnreachable),
    "a redirect inside": (redirect("http://10.0.0.1/"), errors.SourceUnreachable),
}


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(("script", "error"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_become_a_picture_fails_at_once(
    parts: CourierParts, script: Script, error: type[errors.CutoutError], keep: bool
) -> None:
    uid = parts.source_from(script, keep=keep)
    parts.run()
    assert (parts.item(uid).state, parts.error(uid).kind, parts.hints) == (ItemState.FAILED, error.kind, [])
    assert parts.nothing_is_due()
    assert list(parts.blobs.tasks()) == []


def test_a_picture_over_the_limit_fails_as_one_that_is_sent(server: OutsideServer) -> None:
    parts = CourierParts(server, max_source_bytes=100)
    uid = parts.source_from(picture(bytes(101)))
    parts.run()
    assert parts.error(uid) == errors.SourceTooLarge("bytes", 101, 100).facts()


def test_a_server_that_fails_is_asked_three_times(parts: CourierParts) -> None:
    uid = parts.source_from(answering(503))
    with capture_logs() as events:
        for pause_seconds in (1, 2):
            parts.run()
            assert parts.item(uid).state is ItemState.FETCHING
            assert parts.nothing_is_due(within_seconds=pause_seconds / 2)
            parts.clock.advance(pause_seconds / 2)
        parts.run()
    error = parts.error(uid)
    assert (error.kind, error.message) == ("source_unreachable", "the server answers HTTP 503")
    assert error.details == {"reason": "status"}
    assert len(parts.server.requests) == 3
    assert reasons(events) == ["status"] * 3
    assert [event.get("pause_seconds") for event in events] == [1, 2, None]
    assert "secret" not in str(events)


def test_an_address_that_may_not_be_called_is_refused_at_once(parts: CourierParts) -> None:
    uid = parts.source_at(
        "http://169.254.169.254/latest/meta-data/?secret"
    )  # 80 is no port that these parts allow
    parts.run()
    assert (parts.error(uid).kind, parts.error(uid).details) == ("source_unreachable", {"reason": "url"})
    other = parts.source_at(f"http://169.254.169.254:{parts.server.port}/")
    with capture_logs() as events:
        parts.run()
    assert parts.error(other).details == {"reason": "address"}
    assert [event["address"] for event in events] == ["metadata"]
    assert "metadata" not in parts.error(other).message


def test_a_full_disk_fails_nothing(parts: CourierParts) -> None:
    parts.blobs = failing(MemoryBlobStore(), put=errors.BlobStoreUnavailable("no space left"))
    uid = parts.source_from(picture(PICTURE))
    with pytest.raises(errors.BlobStoreUnavailable):
        parts.run()
    assert parts.item(uid).state is ItemState.FETCHING
    assert not parts.nothing_is_due()


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600), (10_000, 600)]
)
def test_pauses_grow_up_to_a_bound(attempt: int, seconds: float) -> None:
    assert longest_pause(attempt, 10, 600) == seconds


BEACH = png(16, 9)


def with_background(parts: CourierParts, script: Script, *, source: Script | None = None) -> TaskUid:
    """An item whose background is at a URL, and its source where a script is given."""
    parts.server.scripts["/beach"] = script
    if source is not None:
        parts.server.scripts["/"] = source
    task = new_task(account=ACCOUNT, source_url=None if source is None else parts.server.url("/"))
    item = replace(task.items[0], background_url=parts.server.url("/beach?token=secret"))
    if source is None:
        parts.blobs.put(item.source, PICTURE)
    parts.store.tasks.create(replace(task, items=(item,)))
    return task.uid


def test_a_background_is_handed_to_the_worker_beside_what_was_sent(parts: CourierParts) -> None:
    uid = with_background(parts, picture(BEACH))
    parts.run()
    assert parts.item(uid).state is ItemState.QUEUED
    claim = parts.store.next_claim()
    assert claim.background is not None
    assert (parts.blobs.get(claim.source), parts.blobs.get(claim.background)) == (PICTURE, BEACH)
    assert parts.nothing_is_due()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answering(404), errors.SourceUnreachable.kind),
        (picture(b"<html></html>", "image/png"), errors.SourceUnreadable.kind),
    ],
)
def test_a_background_that_cannot_be_had_fails_the_item_and_says_which(
    parts: CourierParts, script: Script, kind: str
) -> None:
    uid = with_background(parts, script, source=picture(PICTURE))
    parts.run()
    error = parts.error(uid)
    assert (error.kind, error.details["part"]) == (kind, "background")
    assert error.message.startswith("the background: ")
    assert list(parts.blobs.tasks()) == []
    assert parts.nothing_is_due()


def test_a_source_that_cannot_be_had_is_not_called_a_background(parts: CourierParts) -> None:
    uid = with_background(parts, picture(BEACH), source=answering(404))
    parts.run()
    assert "part" not in parts.error(uid).details


def test_a_background_is_asked_for_again_and_nothing_is_left_meanwhile(parts: CourierParts) -> None:
    uid = with_background(parts, answering(503), source=picture(PICTURE))
    parts.run()
    assert parts.item(uid).state is ItemState.FETCHING
    assert list(parts.blobs.tasks()) == []
    parts.server.scripts["/beach"] = picture(BEACH)
    parts.clock.advance(2)
    parts.run()
    assert parts.item(uid).state is ItemState.QUEUED


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


@pytest.mark.parametrize("user", ["", "user:secret@"])
def test_what_is_bound(parts: CourierParts, user: str) -> None:
    uid = parts.source_at(parts.server.url("/secret?token=secret", host=f"{user}127.0.0.1"))
    with observed(parts.store.next_errand()):
        bound = logs.facts()
    of_task = {"errand": "fetch", "request_uuid": "", "task_uid": uid, "item": 0, "account": ACCOUNT}
    assert bound == of_task | {"attempt": 1, "host": "127.0.0.1"}
    assert logs.facts() == {}

"""The loop: errands side by side, a ledger that goes and comes back, an end that gives back what is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cutgate.courier.loop import Courier
from cutgate.courier.presence import CourierPresence
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.record import Delivery, DeliveryKind, ItemState
from tests.courier.outside import OutsideServer, Visit, picture
from tests.courier.parts import CourierParts
from tests.fakes import failing
from tests.gateway.picture_files import png
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.waiting import eventually

PICTURE = png()


@pytest.fixture
def presence(redis_url: str, key_prefix: str) -> Iterator[CourierPresence]:
    with connect(redis_url) as client:
        yield CourierPresence(client, "host", "courier1", key_prefix=key_prefix)


@contextmanager
def running(
    parts: CourierParts,
    presence: CourierPresence,
    *,
    stop_seconds: float = 5,
    poll_seconds: float = 0.01,
    errands: int = 4,
    kept_errands: int = 0,
) -> Iterator[tuple[Courier, list[EventDict]]]:
    """Run a courier in a thread until the block ends; what it logs is told as well."""
    courier = Courier(
        store=parts.store,
        events=parts.store.errand_events,
        runner=parts.runner(),
        presence=presence,
        owner="host-courier1",
        errands=errands,
        kept_errands=kept_errands,
        poll_seconds=poll_seconds,
        stop_seconds=stop_seconds,
    )
    stop = threading.Event()
    thread = threading.Thread(target=courier.run, args=[stop])
    with capture_logs() as events:
        thread.start()
        try:
            yield courier, events
        finally:
            stop.set()
            thread.join()


def test_errands_run_side_by_side_and_no_more_than_allowed(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    at_once = threading.Barrier(4, timeout=10)
    now, most = 0, 0
    lock = threading.Lock()

    def together(visit: Visit) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        at_once.wait()
        with lock:
            now -= 1
        visit.answer(200, PICTURE)

    server.scripts = {"/": together}
    uids = [parts.source_at(server.url()) for _ in range(8)]
    with running(parts, presence):
        eventually(lambda: len(parts.hints) == 8)
        assert presence.alive()
    assert most == 4
    assert {parts.task(uid).items[0].state for uid in uids} == {ItemState.QUEUED}
    assert not presence.alive()


def test_news_wakes_it_before_it_looks_by_itself(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    server.scripts = {"/": picture(PICTURE), "/hook": lambda visit: visit.answer(204)}
    with running(parts, presence, poll_seconds=60):
        eventually(presence.alive)
        time.sleep(0.1)
        parts.source_at(server.url())
        eventually(lambda: len(parts.hints) == 1)
        assert parts.store.terminate(parts.store.unfinished("alice")[0], "alice")  # the next one is to be done
        parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook")))
        eventually(lambda: len(server.requests) == 2)


def test_an_end_makes_room_for_another_of_its_account(server: OutsideServer, presence: CourierPresence) -> None:
    parts = CourierParts(server.port, courier_account_errands=1)
    server.scripts = {"/": picture(PICTURE)}
    for _ in range(5):
        parts.source_at(server.url())
    with running(parts, presence, poll_seconds=60):
        eventually(lambda: len(parts.hints) == 5)


def test_slow_sources_of_many_leave_hands_to_callbacks(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    answer = threading.Event()

    def held_up(visit: Visit) -> None:
        answer.wait(10)
        visit.answer(200, PICTURE)

    server.scripts = {"/": held_up, "/hook": lambda visit: visit.answer(204)}
    parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook")))
    for account in "abcdef":
        parts.source_at(server.url(), account)
    with running(parts, presence, kept_errands=1):
        eventually(lambda: len(server.requests) == 4)
        parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook")))
        eventually(lambda: len(server.requests) == 5)
        time.sleep(0.1)
        assert sorted(request.path for request in server.requests) == 3 * ["/"] + 2 * ["/hook"]
        answer.set()
        eventually(lambda: len(parts.hints) == 6)


@pytest.mark.parametrize("errands", [1, 2, 3])
def test_few_hands_do_all_the_same(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence, errands: int
) -> None:
    server.scripts = {"/": picture(PICTURE), "/hook": lambda visit: visit.answer(204)}
    parts.ended(*2 * [Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook"))])
    for _ in range(2):
        parts.source_at(server.url())
    with running(parts, presence, errands=errands, kept_errands=9):
        eventually(lambda: len(server.requests) == 4)


def test_what_is_under_way_is_finished_before_the_end(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def held_up(visit: Visit) -> None:
        asked.set()
        answer.wait(10)
        visit.answer(200, PICTURE)

    server.scripts = {"/": held_up}
    uid = parts.source_at(server.url())
    with running(parts, presence):
        assert asked.wait(10)
        threading.Timer(0.2, answer.set).start()
    assert parts.task(uid).items[0].state is ItemState.QUEUED


def test_what_takes_too_long_is_given_back_at_once(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def held_up(visit: Visit) -> None:
        asked.set()
        answer.wait(10)
        visit.answer(200, PICTURE)

    server.scripts = {"/": held_up}
    uid = parts.source_at(server.url())
    with running(parts, presence, stop_seconds=0.1) as (courier, _):
        assert asked.wait(10)
    errand = parts.take()
    assert (errand.task, errand.attempt) == (uid, 2)
    answer.set()
    # What the first courier brings after all counts no more, and is not left lying about.
    eventually(lambda: not courier._under_way)
    assert (parts.task(uid).items[0].state, list(parts.blobs.tasks())) == (ItemState.FETCHING, [])
    server.scripts = {"/": picture(PICTURE)}
    parts.runner().run(errand)
    assert parts.task(uid).items[0].state is ItemState.QUEUED


def test_a_fault_of_one_errand_ends_no_loop(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    server.scripts = {"/hook": lambda visit: visit.answer(204)}
    hook = Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook"))
    parts.ended(replace(hook, url="http://[broken"))
    parts.ended(hook, origin="nobody's")
    parts.ended(hook)
    with running(parts, presence):
        eventually(lambda: len(server.requests) == 1)
    assert parts.nothing_is_due()


def test_a_ledger_that_is_away_is_waited_for(parts: CourierParts, server: OutsideServer, tmp_path: Path) -> None:
    """The presence stands for the ledger here: both are on the same server."""
    server.scripts = {"/": picture(PICTURE)}
    uid = parts.source_at(server.url())
    port = free_port()
    with connect(f"redis://127.0.0.1:{port}/0", retries=0) as client:
        presence = CourierPresence(client, "host", "courier1")
        with running(parts, presence):
            time.sleep(0.2)
            assert parts.task(uid).items[0].state is ItemState.FETCHING
            with redis_server("--port", str(port), "--bind", "127.0.0.1"):
                eventually(lambda: parts.hints)
                assert presence.alive()


AWAY = LedgerUnavailable("the ledger does not answer")


def logged(events: list[EventDict], name: str) -> int:
    return sum(event["event"] == name for event in events)


def test_a_ledger_that_does_not_hand_out_errands_costs_no_hand(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    server.scripts = {"/": picture(PICTURE)}
    parts.source_at(server.url())
    failing(parts.store, take_errand=AWAY)
    with running(parts, presence, errands=1) as (_, events):
        eventually(lambda: logged(events, "ledger_away"))
        del parts.store.take_errand
        eventually(lambda: parts.hints)
        eventually(lambda: logged(events, "ledger_back"))
    assert logged(events, "ledger_away") == 1


def test_a_picture_that_cannot_be_stored_is_fetched_again_before_its_lease_ends(
    parts: CourierParts, server: OutsideServer, presence: CourierPresence
) -> None:
    server.scripts = {"/": picture(PICTURE)}
    uid = parts.source_at(server.url())
    failing(parts.blobs, put=BlobStoreUnavailable("no space left"))
    with running(parts, presence) as (_, events):
        eventually(lambda: logged(events, "errand_interrupted") == 2)
        del parts.blobs.put
        eventually(lambda: parts.hints)
    assert parts.task(uid).items[0].state is ItemState.QUEUED
    assert logged(events, "errand_not_put_back") == 0


@pytest.mark.parametrize(
    ("blobs_put", "ledger_faults", "line"),
    [
        (BlobStoreUnavailable("no space left"), {"postpone": AWAY}, "errand_not_put_back"),
        (LookupError("a bug"), {"fetch_failed": LookupError("another")}, "errand_lost"),
    ],
    ids=["put back", "failed"],
)
def test_what_can_neither_be_done_nor(
    parts: CourierParts,
    server: OutsideServer,
    presence: CourierPresence,
    blobs_put: Exception,
    ledger_faults: dict[str, Exception],
    line: str,
) -> None:
    """It falls due again with the end of its lease, and the hand that had it is free."""
    server.scripts = {"/": picture(PICTURE), "/hook": lambda visit: visit.answer(204)}
    uid = parts.source_at(server.url())
    failing(parts.blobs, put=blobs_put)
    failing(parts.store, **ledger_faults)
    with running(parts, presence, errands=1) as (courier, events):
        eventually(lambda: logged(events, line) and not courier._under_way)
        for name in ledger_faults:
            delattr(parts.store, name)
        del parts.blobs.put
        parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook")))
        eventually(lambda: len(server.requests) == 2)
        assert parts.task(uid).items[0].state is ItemState.FETCHING
        parts.clock.advance(parts.settings.ledger_limits().errand_lease_seconds + 1)
        eventually(lambda: parts.hints)
    assert parts.task(uid).items[0].state is ItemState.QUEUED
    assert logged(events, line) == 1

"""The loop: errands side by side, a ledger that goes and comes back, an end that gives back what is under way."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cutgate.courier.loop import Courier
from cutgate.courier.presence import CourierPresence
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable
from cutgate.jobs.ledger.events import ErrandEvents
from cutgate.jobs.record import ItemState
from cutgate.jobs.redis_client import connect
from tests.courier.outside import Visit, picture
from tests.courier.parts import ACCOUNT, CourierParts, confirm
from tests.fakes import failing
from tests.gateway.picture_files import png
from tests.ledgers import server_url
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.waiting import PATIENCE_SECONDS, eventually

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
    slow_errands: int = 64,
    kept_errands: int = 0,
) -> Iterator[tuple[Courier, list[EventDict]]]:
    """Run a courier in a thread until the block ends; what it logs is told as well."""
    stop = threading.Event()
    with (
        ErrandEvents(server_url(), key_prefix=parts.store.key_prefix) as news,
        capture_logs() as events,
        ThreadPoolExecutor(1) as thread,
    ):
        courier = Courier(
            store=parts.store,
            events=news,
            runner=parts.runner(),
            presence=presence,
            owner="host-courier1",
            errands=errands,
            slow_errands=slow_errands,
            kept_errands=kept_errands,
            poll_seconds=poll_seconds,
            stop_seconds=stop_seconds,
        )
        ended = thread.submit(courier.run, stop)
        try:
            yield courier, events
        finally:
            stop.set()
            ended.result()


class HeldUp:
    """Answers with a picture once it is let go."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()

    def __call__(self, visit: Visit) -> None:
        self.asked.set()
        self.answer.wait(PATIENCE_SECONDS)
        visit.answer(200, PICTURE)


def test_errands_run_side_by_side_and_no_more_than_allowed(parts: CourierParts, presence: CourierPresence) -> None:
    at_once = threading.Barrier(4, timeout=60)
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

    uids = [parts.source_from(together) for _ in range(8)]
    with running(parts, presence):
        eventually(lambda: len(parts.hints) == 8)
        assert presence.alive()
    assert most == 4
    assert {parts.item(uid).state for uid in uids} == {ItemState.QUEUED}
    assert not presence.alive()


def test_news_wakes_it_before_it_looks_by_itself(parts: CourierParts, presence: CourierPresence) -> None:
    with running(parts, presence, poll_seconds=60):
        eventually(presence.alive)
        time.sleep(0.1)
        uid = parts.source_from(picture(PICTURE))
        eventually(lambda: len(parts.hints) == 1)
        assert parts.store.tasks.terminate(uid, ACCOUNT)  # the next one is to be done
        parts.ended(parts.callback(confirm))
        eventually(lambda: len(parts.server.requests) == 2)


def test_slow_sources_of_many_leave_hands_to_callbacks(parts: CourierParts, presence: CourierPresence) -> None:
    held_up = HeldUp()
    parts.ended(parts.callback(confirm))
    for account in "abcdef":
        parts.source_from(held_up, account)
    with running(parts, presence, kept_errands=1):
        eventually(lambda: len(parts.server.requests) == 4)
        parts.ended(parts.callback(confirm))
        eventually(lambda: len(parts.server.requests) == 5)
        time.sleep(0.1)
        assert sorted(request.method for request in parts.server.requests) == 3 * ["GET"] + 2 * ["POST"]
        held_up.answer.set()
        eventually(lambda: len(parts.hints) == 6)


def test_what_is_under_way_is_finished_before_the_end(parts: CourierParts, presence: CourierPresence) -> None:
    held_up = HeldUp()
    uid = parts.source_from(held_up)
    with running(parts, presence):
        assert held_up.asked.wait(60)
        threading.Timer(0.2, held_up.answer.set).start()
    assert parts.item(uid).state is ItemState.QUEUED


def test_what_takes_too_long_is_given_back_at_once(parts: CourierParts, presence: CourierPresence) -> None:
    held_up = HeldUp()
    uid = parts.source_from(held_up)
    with running(parts, presence, stop_seconds=0.1) as (courier, _):
        assert held_up.asked.wait(60)
    errand = parts.store.next_errand()
    assert (errand.task, errand.attempt) == (uid, 2)
    held_up.answer.set()
    # What the first courier brings after all counts no more, and is not left lying about.
    eventually(lambda: not courier._under_way)
    assert (parts.item(uid).state, list(parts.blobs.tasks())) == (ItemState.FETCHING, [])
    parts.server.scripts["/"] = picture(PICTURE)
    parts.run(errand)
    assert parts.item(uid).state is ItemState.QUEUED


def test_a_fault_of_one_errand_ends_no_loop(parts: CourierParts, presence: CourierPresence) -> None:
    hook = parts.callback(confirm)
    parts.ended(replace(hook, url="http://[broken"))
    parts.ended(hook, origin="nobody's")
    parts.ended(hook)
    with running(parts, presence):
        eventually(lambda: len(parts.server.requests) == 1)
    assert parts.nothing_is_due()


def test_a_ledger_that_is_away_is_waited_for(parts: CourierParts) -> None:
    """The presence stands for the ledger here: both are on the same server."""
    uid = parts.source_from(picture(PICTURE))
    port = free_port()
    with connect(f"redis://127.0.0.1:{port}/0", retries=0) as client:
        presence = CourierPresence(client, "host", "courier1")
        with running(parts, presence):
            time.sleep(0.2)
            assert parts.item(uid).state is ItemState.FETCHING
            with redis_server("--port", str(port), "--bind", "127.0.0.1"):
                eventually(lambda: parts.hints)
                assert presence.alive()


AWAY = LedgerUnavailable("the ledger does not answer")


def logged(events: list[EventDict], name: str) -> int:
    return sum(event["event"] == name for event in events)


def test_a_ledger_that_does_not_hand_out_errands_costs_no_hand(
    parts: CourierParts, presence: CourierPresence
) -> None:
    parts.source_from(picture(PICTURE))
    failing(parts.store, errands__take=AWAY)
    with running(parts, presence, errands=1) as (_, events):
        eventually(lambda: logged(events, "ledger_away"))
        del parts.store.errands.take
        eventually(lambda: parts.hints)
        eventually(lambda: logged(events, "ledger_back"))
    assert logged(events, "ledger_away") == 1


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
    presence: CourierPresence,
    blobs_put: Exception,
    ledger_faults: dict[str, Exception],
    line: str,
) -> None:
    """It falls due again with the end of its lease, and the hand that had it is free."""
    uid = parts.source_from(picture(PICTURE))
    failing(parts.blobs, put=blobs_put)
    failing(parts.store.errands, **ledger_faults)
    with running(parts, presence, errands=1) as (courier, events):
        eventually(lambda: logged(events, line) and not courier._under_way)
        for name in ledger_faults:
            delattr(parts.store.errands, name)
        del parts.blobs.put
        parts.ended(parts.callback(confirm))
        eventually(lambda: len(parts.server.requests) == 2)
        assert parts.item(uid).state is ItemState.FETCHING
        parts.clock.advance(parts.settings.ledger_limits().errand_lease_seconds + 1)
        eventually(lambda: parts.item(uid).state is ItemState.QUEUED)
    assert logged(events, line) == 1


def test_slow_servers_of_many_accounts_delay_nobody_else(parts: CourierParts, presence: CourierPresence) -> None:
    """More of them than there are hands; each is waited for, and holds none."""
    held = HeldUp()
    parts.server.scripts |= {"/slow": held, "/quick": picture(PICTURE)}
    accounts = [f"slow-{number}" for number in range(12)]
    slow = [parts.source_at(parts.server.url("/slow"), account) for account in accounts]
    with running(parts, presence, errands=8):
        assert held.asked.wait(PATIENCE_SECONDS)
        quick = [parts.source_at(parts.server.url("/quick"), "quick") for _ in range(4)]
        eventually(lambda: len(parts.hints) == len(quick))
        tasks = [parts.store.task(*task) for task in zip(slow, accounts, strict=True)]
        assert {item.state for task in tasks for item in task.items} == {ItemState.FETCHING}
        held.answer.set()


def test_of_too_many_slow_ones_one_of_the_account_with_most_is_put_back(
    parts: CourierParts, presence: CourierPresence
) -> None:
    held = HeldUp()
    parts.server.scripts["/slow"] = held
    greedy = [parts.source_at(parts.server.url("/slow"), "greedy") for _ in range(2)]
    parts.source_at(parts.server.url("/slow"), "modest")
    with running(parts, presence, slow_errands=2) as (_, events):
        eventually(lambda: [line for line in events if line["event"] == "errand_put_back"])
        held.answer.set()
    [line] = [line for line in events if line["event"] == "errand_put_back"]
    assert line["task_uid"] in greedy

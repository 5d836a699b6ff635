"""Tests of metrics: what requests count as, what the ledger adds, and that one port alone shows them."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from cutgate.gateway.observe.metrics import LedgerCollector
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.spec import CORRECTIONS, Lane, ModelChoice
from tests.fakes import ManualClock, failing
from tests.gateway.harness import Harness, make_settings, signed
from tests.gateway.installation import Installation, LiveGateway
from tests.ledgers import FreshLedger, fresh_presence
from tests.servers.ports import free_port
from tests.servers.scrapes import Scrape, counting_folder, here, scrape
from tests.waiting import eventually

BEST = ModelChoice.parse("birefnet-general")


def requests_of(action: str, code: str, facade: str = "picpik") -> float:
    return here().value(names.REQUESTS, facade=facade, action=action, code=code) or 0


class TestRequests:
    def test_by_action_and_code(self, gateway: Harness) -> None:
        before = requests_of("RemoveBackground", "0"), here().value(names.SUBMIT_SECONDS, "_count") or 0
        gateway.submit()
        after = requests_of("RemoveBackground", "0"), here().value(names.SUBMIT_SECONDS, "_count")
        assert after == (before[0] + 1, before[1] + 1)
        seconds = here().value(names.REQUEST_SECONDS, "_sum", facade="picpik", action="RemoveBackground")
        assert seconds is not None
        assert seconds > 0

    def test_what_callers_make_up_is_no_label(self, gateway: Harness) -> None:
        gateway.call("MadeUp" * 3)
        gateway.open("/made/up")
        assert "adeUp" not in here().text
        assert "made" not in here().text
        assert requests_of("other", "161") > 0

    def test_a_result_by_its_status(self, gateway: Harness) -> None:
        before = here().total(names.REQUESTS)
        assert gateway.open("/r/none.png").status_code == 404
        assert here().total(names.REQUESTS) == before + 1

    def test_health_checks_are_not_counted(self, gateway: Harness) -> None:
        before = here().total(names.REQUESTS)
        gateway.open("/healthz")
        assert here().total(names.REQUESTS) == before


class TestLedger:
    def test_what_it_holds(self, gateway: Harness) -> None:
        gateway.submit_batch(3)
        gateway.finish_one()
        gateway.claim()
        for owner in ("w-1", "w-2"):
            gateway.offer(owner=owner)
        shown = here(LedgerCollector(store=gateway.store, presence=gateway.presence, lanes=gateway.offers.lanes))
        assert shown.value(names.LEDGER_UP) == 1
        assert shown.value(names.ITEMS_WAITING, lane=gateway.lane) == 1
        assert 0 <= (shown.value(names.OLDEST_WAITING_SECONDS, lane=gateway.lane) or 0) < 60
        assert shown.value(names.ITEMS_RUNNING, lane=gateway.lane) == 1
        assert shown.value(names.WORKERS_ALIVE, lane=gateway.lane) == 2
        assert shown.value(names.ERRANDS_DUE) == 0
        assert shown.value(names.CREDITS_BOOKED) == 1

    def test_a_lane_with_a_worker_is_there_before_its_first_item(self, gateway: Harness) -> None:
        gateway.offer()
        shown = here(LedgerCollector(store=gateway.store, presence=gateway.presence, lanes=gateway.offers.lanes))
        assert shown.value(names.ITEMS_WAITING, lane=gateway.lane) == 0
        assert shown.value(names.OLDEST_WAITING_SECONDS, lane=gateway.lane) == 0

    def test_a_lane_without_a_worker_is_there_as_long_as_it_can_be_asked_for(self, gateway: Harness) -> None:
        clock = ManualClock()
        gateway = replace(gateway, presence=fresh_presence(clock))

        def shown(lane: Lane) -> list[float | None]:
            rows = (names.ITEMS_WAITING, names.ITEMS_RUNNING, names.WORKERS_ALIVE)
            page = here(
                LedgerCollector(store=gateway.store, presence=gateway.presence, lanes=gateway.offers.lanes)
            )
            return [page.value(row, lane=lane) for row in rows]

        assert shown(gateway.lane) == shown(CORRECTIONS) == [0, 0, 0]
        assert shown(BEST.lane) == [None, None, None]
        gateway.offer(BEST)
        gateway.presence.leave("w-1")
        clock.advance(gateway.settings.offer_memory_seconds - 60)
        assert shown(BEST.lane) == [0, 0, 0]
        clock.advance(61)
        assert shown(BEST.lane) == [None, None, None]
        assert shown(gateway.lane) == [0, 0, 0]

    def test_one_that_is_away_takes_nothing_else_with_it(self) -> None:
        away = failing(FreshLedger(make_settings().ledger_limits()), figures=LedgerUnavailable("restarting"))
        shown = here(LedgerCollector(store=away, presence=fresh_presence(), lanes=frozenset))
        assert shown.value(names.LEDGER_UP) == 0
        assert shown.value(names.ITEMS_RUNNING) is None


@dataclass(frozen=True)
class Live:
    """A gateway of two processes."""

    gateway: LiveGateway
    metrics_port: int

    def ask(self) -> httpx.Response:
        """A request over a connection of its own, for any of the processes."""
        return httpx.post(self.gateway.url, json=signed({"Action": "ListModels", "PublicKey": "nobody"}))

    def scrape(self) -> Scrape:
        return scrape(self.metrics_port)

    def workers(self) -> list[int]:
        pid = self.gateway.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()))


@pytest.fixture(scope="module")
def live(installation: Installation) -> Iterator[Live]:
    metrics_port = free_port()
    settings = {"CUTGATE_METRICS_PORT": str(metrics_port), "CUTGATE_PROCESSES": "2"}
    with installation.serving(**settings) as gateway:
        yield Live(gateway, metrics_port)


class TestServer:
    def test_only_at_its_own_port(self, live: Live) -> None:
        own = f"127.0.0.1:{live.metrics_port}"
        forged = {"Host": own, "X-Forwarded-Host": own, "X-Forwarded-Port": f"{live.metrics_port}"}
        shown = httpx.get(f"{live.gateway.url}/metrics", headers=forged)
        assert (shown.status_code, "cutgate_" in shown.text) == (404, False)
        assert httpx.post(f"http://{own}", json={"Action": "ListModels"}).status_code == 405
        assert live.scrape().names() >= {names.LEDGER_UP.name, names.REAPED.name}

    def test_what_is_missing_is_told_at_its_own_port_alone(self, live: Live) -> None:
        own = f"127.0.0.1:{live.metrics_port}"
        told = httpx.get(f"http://{own}/readyz")
        assert (told.status_code, told.json()["missing"], told.json()["workers"]) == (503, ["worker"], [])
        for forged in (own, f"127.0.0.1:{live.metrics_port}/"):
            answer = httpx.get(f"{live.gateway.url}/readyz", headers={"Host": forged})
            assert "missing" not in answer.text

    def test_processes_count_together_and_a_dead_one_takes_nothing_with_it(self, live: Live) -> None:
        labels = {"facade": "picpik", "action": "ListModels", "code": "172"}
        assert live.scrape().value(names.SOCKETS_OPEN) == 0
        assert live.scrape().value(names.REAPED, outcome="requeued") == 0
        eventually(lambda: len(live.workers()) == 2)
        for _ in range(12):
            assert live.ask().json()["RetCode"] == 172
        assert live.scrape().value(names.REQUESTS, **labels) == 12
        first, second = live.workers()
        os.kill(first, signal.SIGKILL)
        eventually(lambda: len(live.workers()) == 2 and first not in live.workers())
        assert second in live.workers()
        eventually(lambda: live.ask().status_code == 200)
        assert (live.scrape().value(names.REQUESTS, **labels) or 0) >= 13
        folder = counting_folder(live.gateway.process.pid)
        assert f"{first}" not in {file.stem.rpartition("_")[2] for file in folder.glob("gauge_*")}
        live.gateway.process.terminate()  # the last test of it
        live.gateway.process.wait(20)
        assert not folder.exists()

    def test_not_at_the_port_of_requests(self) -> None:
        with pytest.raises(ValueError, match="metrics_port must not be the port of requests"):
            make_settings(port=8_080, metrics_port=8_080)

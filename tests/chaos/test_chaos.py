"""Tests of every chaos scenario with a few jobs; `make chaos` runs them with many."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.pictures import Effect
from tests.chaos.run import run_scenario
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.service import Service
from tests.chaos.stand_ins import WORK_SECONDS_VARIABLE
from tests.servers.small_disk import small_disk

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # longer than all that a scenario may wait for

JOBS = 15
SLOWLY = {WORK_SECONDS_VARIABLE: "0.5"}
"""So that most faults meet a picture at work."""

DISK_FULL_SECONDS = 4

_accounts = (f"account-{number}" for number in count())


@pytest.fixture(scope="module")
def service_for() -> Iterator[Callable[[Scenario], Service]]:
    """One service for all scenarios with the same settings."""
    with ExitStack() as running:

        @functools.cache
        def started(settings: tuple[tuple[str, str], ...], with_copy: bool) -> Service:
            return running.enter_context(Service(SLOWLY | dict(settings), with_copy=with_copy))

        yield lambda scenario: started(scenario.settings, scenario.with_copy)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_promises_are_kept(service_for: Callable[[Scenario], Service], scenario: Scenario) -> None:
    check(service_for(scenario), scenario)


def test_promises_are_kept_with_several_pictures_at_once() -> None:
    (harmful,) = (scenario for scenario in SCENARIOS if Effect.POISON in scenario.effects)
    together = {"CUTGATE_ITEMS_AT_ONCE": "3"}
    with Service(SLOWLY | together | dict(harmful.settings)) as service:
        check(service, harmful)


def test_promises_are_kept_while_the_servers_disk_is_full(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as disk, Service(SLOWLY, redis_dir=disk.root) as service:

        def fill_disk(service: Service) -> None:
            service.faults.note()
            with suppress(OSError):  # it takes what there is
                disk.fill(leave_bytes=0)
            time.sleep(DISK_FULL_SECONDS)
            disk.empty()

        check(service, Scenario(name="disk of Redis full", fault=fill_disk))


def check(service: Service, scenario: Scenario) -> None:
    """Go through a scenario; every request is accepted in the end, and every promise kept."""
    verdict = run_scenario(service, scenario, JOBS, next(_accounts))
    assert not verdict.broken, f"{verdict.broken}\n{service.log_tail()}"
    assert JOBS - verdict.lost_with_master <= verdict.jobs <= JOBS, service.log_tail()
    assert verdict.faults

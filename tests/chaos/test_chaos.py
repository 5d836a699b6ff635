"""A TaskUID is a promise: every scenario with a few jobs. `make chaos` runs the same with many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.chaos.run import run_scenario
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.service import Service
from tests.chaos.stand_ins import WORK_SECONDS_VARIABLE

JOBS = 17
WORK_SECONDS = 0.6
"""So long that most faults meet a picture at work."""

_accounts = (f"account-{number}" for number in count())


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """One service for all scenarios with the same settings."""
    with Service(**{WORK_SECONDS_VARIABLE: str(WORK_SECONDS)} | dict(request.param)) as service:
        yield service


@pytest.mark.parametrize(
    ("service", "scenario"),
    [pytest.param(scenario.settings, scenario, id=scenario.name) for scenario in SCENARIOS],
    indirect=["service"],
)
def test_promises_are_kept(service: Service, scenario: Scenario) -> None:
    verdict = run_scenario(service, scenario, JOBS, next(_accounts))
    assert not verdict.broken, f"{verdict.broken}\n{service.log_tail()}"
    assert verdict.jobs == JOBS, f"not every request was accepted in the end\n{service.log_tail()}"
    assert verdict.faults
